"""Reads a model's configuration from YAML, typed as Hydra would give it."""

from omegaconf import OmegaConf

from models.config import ModelConfig


def read_model(text):
    """Returns the model that `text` declares, with an image as input where it declares none."""
    schema = OmegaConf.structured(ModelConfig)
    OmegaConf.set_struct(schema, False)
    given = OmegaConf.create(text)
    given.setdefault("name", "model")
    given.setdefault("inputs", {"x": {"shape": [8, 8, 1], "dtype": "float32"}})
    return OmegaConf.to_object(OmegaConf.merge(schema, given))
