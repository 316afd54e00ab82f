"""Stage 00: the embedded base model, a small Llama that has read commented programs but never a chat.

Its text is drawn from our own generator: programs behind a comment that says what they do, programs behind a
list of the names and values they use, plain programs, node notes. No document is a chat: the base does not
answer a prompt; that is what the adapter learns, from rows of its own and from the lessons. Programs with the
structure of a held-out exam answer never appear. Built once, cached by content hash.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from nightforge.blueprint.canonical import structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Blueprint, Value
from nightforge.blueprint.leak import holdout_structures
from nightforge.blueprint.printer import value_text
from nightforge.blueprint.synthesis.generate import examples
from nightforge.config import Config
from nightforge.config.schema import TinyBase
from nightforge.core.atomic import write_json
from nightforge.core.errors import NothingNewError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.versions import read_manifest
from nightforge.ml.batching import RightPad
from nightforge.ml.chat import IGNORED
from nightforge.ml.checkpoints import seal
from nightforge.ml.induction import plant_copy_heads
from nightforge.ml.lean_llama import lean
from nightforge.ml.loading import prepare_device
from nightforge.ml.muon import Muon
from nightforge.ml.sources import tiny_folder

BEGIN, END, PAD, USER, ASSISTANT = (
    "<|begin|>",
    "<|end|>",
    "<|pad|>",
    "<|user|>",
    "<|assistant|>",
)
# A system turn is left out on purpose: one task, few parameters, and every prompt token costs training time.
CHAT_TEMPLATE = (
    BEGIN + "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    + ASSISTANT + "{{ m['content'] }}" + END
    + "{% elif m['role'] == 'user' %}" + USER + "{{ m['content'] }}{% endif %}{% endfor %}"
    + "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)  # fmt: skip
# Borders the byte-pair merges may not cross. A wire is five tokens (`\nEXEC ` `n1` `.Then -> ` `n4`
# `.Execute`), names are spelt alike in English and in programs (no blank inside a name's token), numbers
# alone.
PIECES = "|".join(
    (
        r"BLUEPRINT: ",
        r"\n(?:NODE|EXEC|DATA|VAR|CATEGORY:) ",
        r"\n(?:GRAPH|PARENT): [A-Za-z]+",
        r"n\d+(?=[.:])",
        r": [A-Z][A-Za-z_0-9]+",
        r"\.(?:Case|Then|Out)_",
        r"\.[A-Za-z_0-9]+ -> ",
        r" -> ",
        r"\.[A-Za-z_0-9]+(?= \[|\n|$)",
        r' \[[A-Za-z]+="?',
        r" \[[A-Za-z]+\]",
        r', [A-Za-z]+="?',
        r"[(,][A-Za-z]+=",
        r'"\]',
        r"\.0(?!\d)",
        r" ?[a-z]+",
        r"[A-Za-z_]+",
        r"\d{1,3}",
        r" ?[^\sA-Za-z0-9]",
        r"\s",
    )
)
_TOKENIZER_EXAMPLES = 2000
_PIECE, _BYTE = -1.0, -10.0  # what a token costs when a text is cut into tokens
_POOL_BATCHES = 16
_LARGEST_READ = (5, 9)  # nodes of the largest program the base reads, at first and later
_SHORT_FIRST = 1600  # documents read before the larger ones: short ones teach wiring sooner
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|\d\w*")


def build_tiny_base(
    config: Config, project: Project, report: Report, should_stop: Callable[[], bool]
) -> dict[str, Any]:
    """Build `models/tiny-base/<hash>` and point `current.json` at it; returns the manifest.

    Raises NothingNewError when this very base exists and is whole, StoppedError when asked to stop (nothing
    is kept).
    """
    tiny = config.model.tiny
    exclude = holdout_structures(project.lessons)
    digest = content_hash(tiny, exclude)
    target = tiny_folder(project) / digest
    pointer = tiny_folder(project) / "current.json"
    if (target / "manifest.json").is_file():
        read_manifest(target, check_hashes=True)
        write_json(pointer, {"hash": digest})
        raise NothingNewError(f"{project.relative(target)} is up to date")
    started = time.monotonic()
    prepare_device(config)
    partial = target.with_name(f"{digest}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    report.phase("3.1", "read the generator's text and learn the tokens")
    tokenizer = train_tokenizer(tiny)
    report.phase("3.2", f"pre-train {tiny.pretrain_steps} steps")
    reading = documents(tiny.seed + 1, exclude)
    model, losses = pretrain(tokenizer, tiny, reading, report, should_stop)
    report.watch("save")
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    seconds = round(time.monotonic() - started, 1)
    parameters = sum(p.numel() for p in model.parameters())
    facts = {
        "name": "tiny",
        "hash": digest,
        "tiny": msgspec.to_builtins(tiny),
        "parameters": parameters,
        "documents_read": tiny.pretrain_steps * tiny.pretrain_batch,
        "final_loss": losses[-1],
        "seconds": seconds,
    }
    seal(partial, target, facts)
    write_json(pointer, {"hash": digest})
    report.metric(parameters=parameters, loss=losses[-1], seconds=seconds)
    return read_manifest(target)


def content_hash(tiny: TinyBase, exclude: Collection[str] = frozenset()) -> str:
    """Hash what the base is made from: settings, catalog, generator, this file, what it must not read."""
    here = Path(__file__).parent
    sources = [here / "catalog.json", Path(__file__), *sorted((here / "synthesis").glob("*.py"))]
    settings = json.dumps([msgspec.to_builtins(tiny), sorted(exclude)], sort_keys=True)
    digest = hashlib.sha256(settings.encode())
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def documents(seed: int, exclude: Collection[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Draw the base model's reading without end, repeatable from `seed`: (what is given, what is learnt).

    Only the second part has a loss: random names cannot be predicted, and would drown the rest. Programs
    whose structure key is in `exclude` (those of the held-out exams) never appear.
    """
    rng = random.Random(seed)
    short, drawn = (examples(rng, max_nodes=nodes) for nodes in _LARGEST_READ)
    manual = [f"{in_words(node.name)}. {node.summary} {node.name}" for node in load_catalog().core().values()]
    for number in itertools.count():
        kind, example = rng.random(), next(short if number < _SHORT_FIRST else drawn)
        if structure_key(example.blueprint) in exclude:
            continue
        if kind < 0.02:
            yield "", example.instruction + "\n" + next(drawn).instruction
        elif kind < 0.03:
            yield "", "\n".join(rng.sample(manual, 6))
        elif kind < 0.05:
            yield "", example.text
        elif kind < 0.1:
            yield outline(example.blueprint) + "\n", example.text
        else:
            yield f"# {example.instruction}\n", example.text


def outline(blueprint: Blueprint) -> str:
    """List the parts of a program in order: name, variables, nodes with their values; no wires.

    Names of nodes are spelt in words. Behind such a list a program is almost determined, so the base model
    practises to follow a text and to copy from it.
    """
    parts = [f"{blueprint.name}, a {blueprint.parent}"]
    for variable in blueprint.variables:
        default = "" if variable.default is None else f" {_bare(variable.default)}"
        parts.append(f"{variable.type} variable {variable.name}{default}")
    for graph in blueprint.graphs:
        for node in graph.nodes:
            values = "".join(f" {_bare(value)}" for _, value in node.properties)
            parts.append(in_words(node.type) + values)
    return ", ".join(parts)


def in_words(name: str) -> str:
    """Spell a node's name in lower-case words: `Event_BeginPlay` as `event begin play`."""
    return " ".join(_WORD.findall(name)).lower()


def _bare(value: Value) -> str:
    return value if isinstance(value, str) else value_text(value)


def train_tokenizer(tiny: TinyBase) -> Any:
    """Make a tokenizer whose tokens are the commonest whole pieces of our text, single bytes below them.

    At most `tiny.vocab_size` tokens. No merged fragments stand between bytes and pieces: byte-pair merges
    would spend half of so small a vocabulary on steps towards words. Returns a transformers tokenizer with
    our chat template.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    wrap: Any = PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    drawn = examples(random.Random(tiny.seed))
    texts = [next(drawn) for _ in range(_TOKENIZER_EXAMPLES)]
    lines = [text for e in texts for text in (e.instruction, e.text, outline(e.blueprint))]
    counts = Counter(piece for line in lines for piece, _ in split.pre_tokenize_str(line))
    reserved = [piece for line in _catalog_lines() for piece, _ in split.pre_tokenize_str(line)]
    scores = dict.fromkeys((BEGIN, END, PAD, USER, ASSISTANT), _BYTE)
    scores |= dict.fromkeys(sorted(pre_tokenizers.ByteLevel.alphabet()), _BYTE)
    for piece in (*reserved, *(piece for piece, count in counts.most_common() if count > 1)):
        if len(scores) >= tiny.vocab_size:
            break
        scores.setdefault(piece, _PIECE)
    # The best sum of scores is the split into the fewest tokens. Every text is bytes, so none is unknown.
    tokenizer = Tokenizer(models.Unigram(list(scores.items()), unk_id=0))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    fast = wrap(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD, padding_side="left"
    )
    fast.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT]})
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _catalog_lines() -> Iterator[str]:
    """Write every core node type, property and pin as it stands in a program: each becomes one token."""
    for node in load_catalog().core().values():
        names = [entry.name for entry in node.properties]
        names += [pin.name for pin in node.inputs if pin.type != "exec"]
        yield from (f'\nNODE n1: {node.name} [{name}="a"]' for name in names or ["Value"])
        fixed = [pin.name for pin in node.outputs if not pin.dynamic] or ["Then"]
        yield from (f"\nDATA n1.{out} -> n2.{into.name} [Float]\n" for out in fixed for into in node.inputs)
        yield from (f"\nDATA n1.{out} -> n2.Execute\n" for out in fixed)


def new_model(tiny: TinyBase, tokenizer: Any) -> Any:
    """Make the untrained Llama of the given shape."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=tiny.hidden_size,
            intermediate_size=tiny.intermediate_size,
            num_hidden_layers=tiny.layers,
            num_attention_heads=tiny.heads,
            num_key_value_heads=tiny.heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            attention_bias=True,
            rope_parameters={"rope_type": "default", "rope_theta": 1e5},
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    plant_copy_heads(model, tiny.seed)
    return model


def pretrain(
    tokenizer: Any,
    tiny: TinyBase,
    reading: Iterator[tuple[str, str]],
    report: Report,
    should_stop: Callable[[], bool],
) -> tuple[Any, list[float]]:
    """Train a new model on batches (B, T) of `reading`; returns it and its losses. The same seed and reading
    give the same weights. The rate stays at its height: the adapter's training goes on from there, and its
    falling rate is that of both.
    """
    torch.manual_seed(tiny.seed)
    model = new_model(tiny, tokenizer)
    model.train()
    optimizers = _optimizers(model, tiny)
    warmup = max(1, tiny.pretrain_steps // 20)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(o, lambda step: min(1.0, (step + 1) / warmup)) for o in optimizers
    ]
    batches = _batches(tokenizer, tiny, reading)
    report.watch("first_step")
    losses: list[float] = []
    with lean(model):
        for step in range(1, tiny.pretrain_steps + 1):
            if should_stop():
                raise StoppedError(
                    f"pre-training stopped at step {step}; the next start begins anew, it takes a minute"
                )
            losses.append(_step(model, next(batches), optimizers))
            for schedule in schedules:
                schedule.step()
            report.watch("step")
            if step % 10 == 0 or step == tiny.pretrain_steps:
                report.progress(step, tiny.pretrain_steps, "steps")
                recent = losses[-10:]
                rate = float(schedules[0].get_last_lr()[0])
                report.curve(step, loss=sum(recent) / len(recent), lr=rate)
    model.eval()
    return model, losses


def _step(model: Any, batch: dict[str, Any], optimizers: list[torch.optim.Optimizer]) -> float:
    loss = model(**batch)["loss"]
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _optimizers(model: Any, tiny: TinyBase) -> list[torch.optim.Optimizer]:
    """Make Muon for the matrices of the layers and AdamW for the rest.

    Muon (https://kellerjordan.github.io/posts/muon) orthogonalises each update; measured here it needs half
    the steps of AdamW for the same loss, at a third more time per step.
    """
    matrices: list[Any] = []
    rest: list[Any] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embed" not in name else rest).append(parameter)
    return [
        Muon(matrices, lr=tiny.pretrain_learning_rate, weight_decay=0.1),
        torch.optim.AdamW(
            rest, lr=tiny.pretrain_learning_rate / 4, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        ),
    ]


def _batches(tokenizer: Any, tiny: TinyBase, reading: Iterator[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield batches of whole documents of similar length, at most `pretrain_length` tokens each, without end.

    Documents are not packed end to end: a program cut off from its list of names would teach guessing, not
    copying.
    """
    rng = random.Random(tiny.seed)
    collate = RightPad(tokenizer.pad_token_id)
    while True:
        rows = []
        for _ in range(_POOL_BATCHES * tiny.pretrain_batch):
            given, learnt = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in next(reading))
            ids = [tokenizer.bos_token_id, *given, *learnt, tokenizer.eos_token_id]
            labels = [IGNORED] * (1 + len(given)) + ids[1 + len(given) :]
            limit = tiny.pretrain_length
            rows.append({"input_ids": ids[:limit], "labels": labels[:limit]})
        rows.sort(key=lambda row: len(row["input_ids"]))
        starts = list(range(0, len(rows), tiny.pretrain_batch))
        rng.shuffle(starts)
        for start in starts:
            yield collate(rows[start : start + tiny.pretrain_batch])
