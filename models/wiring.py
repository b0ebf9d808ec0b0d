"""Reads how layers are wired: from nested, named YAML to a flat list of calls. No TensorFlow.

Without ``from`` a layer takes what the one before it gives. A mapping with ``layers`` is a block,
whose layers are called ``block.conv``, or ``block.0.conv`` where it is repeated.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.config import ModelConfig
from models.declarations import is_declaration
from models.problems import Problem, did_you_mean, expected

# What TensorFlow takes as the name of a scope.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
NAMED_BY = "letters, digits and _"

WIRING_KEYS = ("from", "trainable")
SHARED_KEYS = ("shared", "from")
BLOCK_KEYS = ("layers", "repeat", "from", "outputs", "trainable")
# A model's whole YAML, placed as a block, has these too.
MODEL_KEYS = ("name", "inputs", "loss", "metrics")
BLOCK_INPUT = "input"

# What the names of layers between an input and the model begin with, and where they are declared.
PREPROCESS = "preprocess"
PREPROCESS_PATH = "data.preprocess"

_REFERENCE = re.compile(r"(?P<name>[A-Za-z]\w*(\.\w+)*)(\[(?P<part>\w+)\])?")


@dataclass(frozen=True)
class Reference:
    """What a layer gives, or one part of it.

    Attributes:
        name: A call or an input of the model.
        part: Index or name of one of several outputs; None for the only one.
    """

    name: str
    part: int | str | None = None

    def __str__(self) -> str:
        """Returns it as YAML writes it."""
        return self.name if self.part is None else f"{self.name}[{self.part}]"


# What a layer is called with: one tensor, or a list of them.
Source = Reference | tuple[Reference, ...]


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Attributes:
        name: The call's name, by which its output is known.
        layer: The layer's name; that of another call where the layer is shared.
        path: The place of the layer's declaration in the configuration.
        spec: The declaration.
        sources: What it is called with by argument; "" is the first argument.
        trainable: Whether its weights are trained; None leaves what Keras does.
    """

    name: str
    layer: str
    path: str
    spec: Mapping[str, Any]
    sources: Mapping[str, Source]
    trainable: bool | None

    def references(self) -> Iterator[Reference]:
        """Yields everything that the call takes."""
        for source in self.sources.values():
            yield from source if isinstance(source, tuple) else (source,)


@dataclass(frozen=True)
class Wiring:
    """A model's layers in the order they are called.

    Attributes:
        calls: Each call of each layer.
        outputs: What the model gives, by name.
        names: What each input, layer and block gives, by the name that refers to it; an input is
            what is fed, whatever is laid behind it.
        problems: What is wrong, in the order of the file; calls may be missing then.
    """

    calls: tuple[LayerCall, ...]
    outputs: Mapping[str, Reference]
    names: Mapping[str, Reference]
    problems: tuple[Problem, ...]


def read_wiring(config: ModelConfig, path: str = "model") -> Wiring:
    """Returns the calls that `config` declares, in order: those of ``preprocess`` come first.

    Layers and outputs that take an input of a stack of ``preprocess`` take what that gives.
    """
    reader = _Reader(path)
    inputs = {name: Reference(name) for name in config.inputs}
    reader.values.update(inputs)
    reader.read_preprocess(config)
    given = [reader.values[name] for name in inputs]
    reader.read_layers(
        _Level(path=f"{path}.layers", prefix="", layer_prefix="", trainable=None),
        config.layers,
        given[0] if len(given) == 1 else None,
    )
    outputs = reader.read_outputs(f"{path}.outputs", config)
    if not reader.problems:
        reader.report_unused(config, outputs)
    values = {**reader.values, **inputs}
    names = {name: value for name, value in values.items() if isinstance(value, Reference)}
    return Wiring(tuple(reader.calls), outputs, names, tuple(dict.fromkeys(reader.problems)))


def is_block(spec: Mapping[str, Any]) -> bool:
    """Returns whether `spec` is a block; a layer may have an argument ``layers`` too."""
    return "layers" in spec and not is_declaration(spec)


def parse_reference(text: str) -> Reference | None:
    """Returns what ``block.0.conv`` or ``lstm[1]`` refers to, None if `text` is no such name."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    part = match["part"]
    return Reference(match["name"], int(part) if part and part.isdigit() else part)


def output_names(outputs: object) -> list[str]:
    """Returns the names of a model's outputs: the keys of a mapping, else what they refer to."""
    if isinstance(outputs, Mapping):
        return list(map(str, outputs))
    return list(map(str, outputs)) if isinstance(outputs, list) else [str(outputs)]


@dataclass(frozen=True)
class _Level:
    """One mapping of layers: where it stands, and what its layers' names begin with.

    Attributes:
        path: Its place in the configuration.
        prefix: In front of the calls' names.
        layer_prefix: In front of the layers' names; another where the block is shared.
        trainable: What an enclosing block says of its layers.
    """

    path: str
    prefix: str
    layer_prefix: str
    trainable: bool | None


@dataclass(frozen=True)
class _Block:
    """A block that was read, to be shared by another."""

    path: str
    spec: Mapping[str, Any]
    layer_prefix: str


# What a name stands for: one reference, several of a block by key, or unknown after a problem.
_Value = Reference | Mapping[str, Reference] | None


@dataclass
class _Reader:
    path: str
    values: dict[str, _Value] = field(default_factory=dict)
    calls: list[LayerCall] = field(default_factory=list)
    blocks: dict[str, _Block] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    # The declarations of the levels that are being read, the innermost last.
    open_levels: list[tuple[_Level, Mapping[str, Any]]] = field(default_factory=list)

    def read_preprocess(self, config: ModelConfig) -> None:
        """Reads the stacks behind inputs, and has each stand for its input from then on."""
        if config.preprocess and PREPROCESS in {*config.inputs, *config.layers}:
            kind = "inputs" if PREPROCESS in config.inputs else "layers"
            message = f"the name {PREPROCESS!r} is taken by {PREPROCESS_PATH}; choose another."
            self._report(Problem(f"{self.path}.{kind}.{PREPROCESS}", message))
        stood_for: dict[str, _Value] = {}
        for name, layers in config.preprocess.items():
            prefix = f"{PREPROCESS}.{name}"
            level = _Level(f"{PREPROCESS_PATH}.{name}", f"{prefix}.", f"{prefix}.", None)
            self.values[f"{prefix}.{BLOCK_INPUT}"] = Reference(name)
            read = self.read_layers(level, layers, Reference(name))
            stood_for[name] = self.values[prefix] = list(read.values())[-1]
        self.values.update(stood_for)

    def read_layers(
        self, level: _Level, layers: Mapping[str, Any], previous: _Value
    ) -> Mapping[str, _Value]:
        """Reads one mapping of layers, and returns what each gives."""
        self.open_levels.append((level, layers))
        read: dict[str, _Value] = {}
        for name, spec in layers.items():
            place = f"{level.path}.{name}"
            value: _Value = None
            if not NAME.fullmatch(str(name)):
                self._report(expected(place, f"a layer named by {NAMED_BY}", name))
            elif f"{level.prefix}{name}" in self.values:
                who = "what comes into the block" if level.prefix else "an input"
                self._report(
                    Problem(place, f"the name {name!r} is taken by {who}; choose another.")
                )
            elif not isinstance(spec, Mapping):
                self._report(expected(place, "a mapping with the type of a layer", spec))
            else:
                value = self._read_entry(level, str(name), spec, previous)
            self.values[f"{level.prefix}{name}"] = value
            read[str(name)] = previous = value
        self.open_levels.pop()
        return read

    def _read_entry(
        self, level: _Level, name: str, spec: Mapping[str, Any], previous: _Value
    ) -> _Value:
        place = f"{level.path}.{name}"
        trainable = self._read_trainable(place, spec, level)
        if "shared" in spec:
            return self._read_shared(level, name, spec, previous)
        if is_block(spec):
            block = _Block(place, spec, f"{level.layer_prefix}{name}")
            self.blocks[f"{level.prefix}{name}"] = block
            into = self._read_block_sources(place, spec, spec, level, previous)
            return self._read_block(block, f"{level.prefix}{name}", into, trainable)
        sources = self._read_sources(place, spec, level, previous)
        layer = f"{level.layer_prefix}{name}"
        return self._call(level, name, layer, place, spec, sources, trainable)

    def _call(
        self,
        level: _Level,
        name: str,
        layer: str,
        path: str,
        spec: Mapping[str, Any],
        sources: Mapping[str, Source] | None,
        trainable: bool | None,
    ) -> _Value:
        if sources is None:
            return None
        call = f"{level.prefix}{name}"
        self.calls.append(LayerCall(call, layer, path, spec, sources, trainable))
        return Reference(call)

    def _read_trainable(self, place: str, spec: Mapping[str, Any], level: _Level) -> bool | None:
        trainable = spec.get("trainable")
        if trainable is not None and not isinstance(trainable, bool):
            self._report(expected(f"{place}.trainable", "true or false", trainable))
        return trainable if level.trainable is None else level.trainable

    def _read_shared(
        self, level: _Level, name: str, spec: Mapping[str, Any], previous: _Value
    ) -> _Value:
        """Reads a further call of a layer, or of a block, that came before."""
        place = f"{level.path}.{name}"
        for key in spec:
            if key not in SHARED_KEYS:
                message = "a shared layer keeps its own arguments; remove this one."
                self._report(Problem(f"{place}.{key}", message))
        target = str(spec["shared"])
        for prefix in self._prefixes(level):
            if f"{prefix}{target}" in self.blocks:
                block = self.blocks[f"{prefix}{target}"]
                into = self._read_block_sources(place, spec, block.spec, level, previous)
                return self._read_block(block, f"{level.prefix}{name}", into, level.trainable)
            for call in self.calls:
                if call.name == f"{prefix}{target}":
                    sources = self._read_sources(place, spec, level, previous)
                    return self._call(
                        level, name, call.layer, call.path, call.spec, sources, call.trainable
                    )
        if self._is_known(target, level):
            return None
        known = [*self.blocks, *(call.name for call in self.calls)]
        what = "the name of a layer or block that comes before"
        self._report(expected(f"{place}.shared", what, target, did_you_mean(target, known)))
        return None

    def _read_block_sources(
        self,
        place: str,
        spec: Mapping[str, Any],
        block: Mapping[str, Any],
        level: _Level,
        previous: _Value,
    ) -> Mapping[str, Reference] | None:
        """Returns what comes into a block by the names that its layers know it by."""
        sources = self._read_sources(place, spec, level, previous)
        if sources is None:
            return None
        declared = block.get("inputs")
        names = list(declared) if isinstance(declared, Mapping) else [BLOCK_INPUT]
        by_name: dict[str, Reference] = {}
        for name, source in sources.items():
            if isinstance(source, tuple):
                what = "one layer for each name, as a block takes them: {a: layer, b: layer}"
                self._report(expected(f"{place}.from", what, spec["from"]))
                return None
            by_name[name or names[0]] = source
        if isinstance(declared, Mapping) and set(by_name) != set(names):
            what = f"one layer for each input: {', '.join(names)}"
            self._report(expected(f"{place}.from", what, spec.get("from", list(by_name))))
            return None
        return by_name

    def _read_block(
        self,
        block: _Block,
        prefix: str,
        sources: Mapping[str, Reference] | None,
        trainable: bool | None,
    ) -> _Value:
        place, spec = block.path, block.spec
        for key in spec:
            if key not in (*BLOCK_KEYS, *MODEL_KEYS):
                hint = did_you_mean(key, BLOCK_KEYS)
                self._report(expected(f"{place}.{key}", "a key of a block", key, hint))
        layers = spec["layers"]
        if not isinstance(layers, Mapping) or not layers:
            self._report(expected(f"{place}.layers", "at least one layer", layers))
            return None
        repeat = spec.get("repeat")
        if repeat is None:
            return self._read_iteration(block, prefix, block.layer_prefix, sources, trainable)
        if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 1:
            self._report(expected(f"{place}.repeat", "a whole number of 1 or more", repeat))
            return None
        value: _Value = None
        for index in range(repeat):
            step, layers_of = f"{prefix}.{index}", f"{block.layer_prefix}.{index}"
            value = self._read_iteration(block, step, layers_of, sources, trainable)
            self.values[step] = value
            if isinstance(value, Mapping) or (sources is not None and len(sources) > 1):
                what = "one thing in and one out, as a repeated block has"
                self._report(expected(f"{place}.repeat", what, repeat))
                return None
            sources = None if value is None or sources is None else dict.fromkeys(sources, value)
        return value

    def _read_iteration(
        self,
        block: _Block,
        prefix: str,
        layer_prefix: str,
        sources: Mapping[str, Reference] | None,
        trainable: bool | None,
    ) -> _Value:
        inner = _Level(f"{block.path}.layers", f"{prefix}.", f"{layer_prefix}.", trainable)
        for name in sources or (BLOCK_INPUT,):
            self.values[f"{inner.prefix}{name}"] = sources[name] if sources else None
        only = next(iter(sources.values())) if sources and len(sources) == 1 else None
        layers = block.spec["layers"]
        read = self.read_layers(inner, layers, only)
        if block.spec.get("outputs") is None:
            return list(read.values())[-1]
        outputs = block.spec["outputs"]
        self.open_levels.append((inner, {}))
        found = self._find_outputs(f"{block.path}.outputs", outputs, inner)
        self.open_levels.pop()
        return next(iter(found.values()), None) if isinstance(outputs, str) else found or None

    def _read_sources(
        self, place: str, spec: Mapping[str, Any], level: _Level, previous: _Value
    ) -> Mapping[str, Source] | None:
        """Returns what a layer is called with; None if that is not known after a problem."""
        if "from" not in spec:
            return self._take_previous(place, level, previous)
        path, written = f"{place}.from", spec["from"]
        if isinstance(written, Mapping) and written:
            found = {
                str(argument): self._find_source(f"{path}.{argument}", source, level)
                for argument, source in written.items()
            }
        else:
            found = {"": self._find_source(path, written, level)}
        sources = {name: source for name, source in found.items() if source is not None}
        return sources if len(sources) == len(found) else None

    def _take_previous(
        self, place: str, level: _Level, previous: _Value
    ) -> Mapping[str, Source] | None:
        if isinstance(previous, Reference):
            return {"": previous}
        _, layers = self.open_levels[-1]
        is_first = place == f"{level.path}.{next(iter(layers))}"
        if isinstance(previous, Mapping):
            what = f"from, since what comes before gives {', '.join(previous)}"
            self._report(expected(place, what, None, "Say which of them it takes."))
        elif is_first and level.prefix == "":
            inputs = [name for name in self.values if name not in layers and "." not in name]
            if len(inputs) > 1:
                what = f"from, since the model has the inputs {', '.join(inputs)}"
                self._report(expected(place, what, None, "Say which of them it takes."))
        elif is_first:
            names = [
                name.removeprefix(level.prefix)
                for name in self.values
                if name.startswith(level.prefix) and self.values[name] is not None
            ]
            if len(names) > 1:
                what = f"from, since the block takes {', '.join(names)}"
                self._report(expected(place, what, None, "Say which of them it takes."))
        return None

    def _find_source(self, path: str, written: object, level: _Level) -> Source | None:
        if isinstance(written, list) and written:
            found = [
                self._find(f"{path}[{index}]", item, level) for index, item in enumerate(written)
            ]
            known = tuple(item for item in found if item is not None)
            return known if len(known) == len(found) else None
        return self._find(path, written, level)

    def _find(self, path: str, written: object, level: _Level) -> Reference | None:
        """Returns what a reference such as ``block.0.conv`` or ``lstm[1]`` refers to."""
        reference = parse_reference(written) if isinstance(written, str) else None
        if reference is None and f"{level.prefix}{written}" in self.values:
            return None  # the name itself was reported
        if reference is None:
            what = "the name of a layer, such as conv1, block.0.conv or lstm[1]"
            self._report(expected(path, what, written))
            return None
        name, part = reference.name, reference.part
        for prefix in self._prefixes(level):
            if f"{prefix}{name}" in self.values:
                return self._take_part(path, self.values[f"{prefix}{name}"], part, name)
        if not self._report_later(path, name, level):
            known = [
                key.removeprefix(level.prefix)
                for key, value in self.values.items()
                if value is not None
            ]
            what = "the name of an input or of a layer that comes before"
            if not self.open_levels:
                what = "the name of a layer"
            self._report(expected(path, what, name, did_you_mean(name, known)))
        return None

    def _take_part(
        self, path: str, value: _Value, part: int | str | None, name: str
    ) -> Reference | None:
        if isinstance(value, Reference):
            if part is None:
                return value
            if value.part is not None:
                self._report(expected(path, f"{name!r} without a part", f"{name}[{part}]"))
                return None
            return Reference(value.name, part)
        if value is None:
            return None
        if part is None:
            what = f"one of {', '.join(f'{name}[{key}]' for key in value)}"
            self._report(expected(path, what, name))
            return None
        if str(part) not in value:
            what = f"one of {', '.join(f'{name}[{key}]' for key in value)}"
            self._report(expected(path, what, f"{name}[{part}]"))
            return None
        return value[str(part)]

    def _prefixes(self, level: _Level) -> Iterator[str]:
        """Yields what a name may begin with, from the innermost block outwards."""
        prefix = level.prefix
        while prefix:
            yield prefix
            head = prefix[:-1].rpartition(".")[0]
            prefix = f"{head}." if head else ""
        yield ""

    def _is_known(self, name: str, level: _Level) -> bool:
        """Returns whether a name stands for something that is wrong in itself."""
        return any(
            f"{prefix}{name}" in self.values and self.values[f"{prefix}{name}"] is None
            for prefix in self._prefixes(level)
        )

    def _report_later(self, path: str, name: str, level: _Level) -> bool:
        """Reports a reference to a layer that is yet to come; False if there is none."""
        head = name.partition(".")[0]
        for outer, layers in reversed(self.open_levels):
            if head not in layers:
                continue
            current = path.removeprefix(f"{outer.path}.").partition(".")[0]
            circle = _find_circle(current, head, layers)
            if circle:
                chain = " takes ".join([current, *circle])
                self._report(Problem(path, f"a circle: {chain}. No layer can be first."))
            else:
                what = f"a layer that comes before {current}"
                hint = f"Move {head} in front of {current}."
                self._report(expected(path, what, name, hint))
            return True
        return False

    def read_outputs(self, path: str, config: ModelConfig) -> Mapping[str, Reference]:
        """Returns the model's outputs by name."""
        level = _Level(path, "", "", None)
        found = self._find_outputs(path, config.outputs, level)
        for name, reference in found.items():
            if reference.name in config.inputs:
                place = path if isinstance(config.outputs, str) else f"{path}.{name}"
                self._report(expected(place, "the name of a layer", reference.name))
        return found

    def _find_outputs(self, path: str, outputs: object, level: _Level) -> dict[str, Reference]:
        if isinstance(outputs, Mapping) and outputs:
            for name in outputs:
                if not NAME.fullmatch(str(name)):
                    self._report(expected(f"{path}.{name}", f"an output named by {NAMED_BY}", name))
            places = {str(name): (f"{path}.{name}", item) for name, item in outputs.items()}
        elif isinstance(outputs, list) and outputs:
            places = {str(item): (f"{path}[{index}]", item) for index, item in enumerate(outputs)}
            if len(places) < len(outputs):
                self._report(expected(path, "each output once", outputs))
        else:
            value = self.values.get(f"{level.prefix}{outputs}")
            if isinstance(value, Mapping):
                return dict(value)
            places = {str(outputs): (path, outputs)}
        found = {name: self._find(place, item, level) for name, (place, item) in places.items()}
        return {name: reference for name, reference in found.items() if reference is not None}

    def report_unused(self, config: ModelConfig, outputs: Mapping[str, Reference]) -> None:
        """Reports layers and inputs that no output is made of."""
        by_name = {call.name: call for call in self.calls}
        used: set[str] = set()
        pending = [reference.name for reference in outputs.values()]
        while pending:
            name = pending.pop()
            if name not in used:
                used.add(name)
                if name in by_name:
                    pending += [reference.name for reference in by_name[name].references()]
        made_of = ", ".join(map(str, outputs.values()))
        unused = [name for name in config.inputs if name not in used]
        message = f"nothing takes it: the output {made_of} is made without it. Remove it."
        for name in unused:
            self._report(Problem(f"{self.path}.inputs.{name}", message))
        stacks = tuple(f"{PREPROCESS}.{name}." for name in unused)
        layers_used = {call.layer for call in self.calls if call.name in used}
        for call in self.calls:
            if call.layer not in layers_used and not call.name.startswith(stacks):
                self._report(Problem(call.path, message))

    def _report(self, problem: Problem) -> None:
        self.problems.append(problem)


def _find_circle(start: str, later: str, layers: Mapping[str, Any]) -> list[str]:
    """Returns the names from `later` back to `start`, each taking the next; none if it does not."""
    names = list(map(str, layers))
    pending = [[later]]
    seen = set()
    while pending:
        chain = pending.pop(0)
        if chain[-1] == start:
            return chain
        if chain[-1] in seen or chain[-1] not in names:
            continue
        seen.add(chain[-1])
        spec = layers[chain[-1]]
        if isinstance(spec, Mapping) and "from" in spec:
            heads = [re.split(r"[.\[]", text)[0] for text in _texts(spec["from"])]
        else:
            index = names.index(chain[-1])
            heads = names[index - 1 : index] if index else []
        pending += [[*chain, head] for head in heads]
    return []


def _texts(written: object) -> Iterator[str]:
    if isinstance(written, str):
        yield written
    elif isinstance(written, Mapping):
        for item in written.values():
            yield from _texts(item)
    elif isinstance(written, list):
        for item in written:
            yield from _texts(item)
