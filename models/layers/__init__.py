"""Our own Keras layers, one a file; ``class: models.layers.sampling.Sampling`` names one."""
