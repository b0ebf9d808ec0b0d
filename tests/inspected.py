"""What an inspection of a model of one layer tells."""

from collections import Counter

from runner.results import InspectResult, LayerCost

CONV = LayerCost(
    name="block.0.conv",
    type="Conv2D",
    sources=("image",),
    output_shapes=((None, 8, None, 32),),
    trained_parameters=18496,
    frozen_parameters=64,
    parameter_bytes=74240,
    flops=20_054_016,
    activation_bytes=262144,
    unknown=Counter({"ResizeBicubic": 2}),
    varying_outputs=0,
)
INSPECTED = InspectResult(
    batch_size=32,
    inputs={"image": (None, 8, None, 1)},
    layers=(CONV,),
    outputs={"conv": "block.0.conv"},
    flops_by_operation={"Conv2D": 20_054_016},
)
