"""What a name alone says of a model file: whether it is a checkpoint, which step, which role.

The names are those that Lightning, the Hugging Face Trainer, Accelerate, timm, Ultralytics
and plain ``torch.save`` loops give. A name that none of them would give is no checkpoint:
``dataset.pt`` and ``scaler.pt`` are somebody's files, and what is not recognised stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from itertools import pairwise

from artifact_janitor.core.model import Role

_SUFFIX = re.compile(r"(\.ckpt|\.pth\.tar|\.pth|\.pt|\.safetensors|\.bin)$", re.IGNORECASE)
_MAYBE = re.compile(r"\.(ckpt|pth|pt|safetensors|bin)", re.IGNORECASE)
"""Stands in each name that `_SUFFIX` matches: one search through all names of a folder."""
_ENDINGS = (".ckpt", ".pth.tar", ".pth", ".pt", ".safetensors", ".bin", "\n")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_WEIGHTS = re.compile(
    r"(pytorch_|adapter_|diffusion_pytorch_)?model(_[0-9]+)?(-[0-9]+-of-[0-9]+)?"
    r"\.(safetensors|bin|pt|pth)"
)
"""``save_pretrained``, ``Trainer.save_model``, ``Accelerator.save_model``; whole or in shards."""

_STEPS = frozenset({"step", "steps", "globalstep", "iter", "iters", "iteration"})
_EPOCHS = frozenset({"epoch", "epochs", "ep"})
_COUNTERS = frozenset({"checkpoint", "ckpt", "chkpt", "recovery"})
_GROWS = """
    ba batch batches b update updates it its token tokens sample samples image images kimg time
    loss acc accuracy val valid test train score auc map iou miou dice psnr ssim fid bleu rouge
    wer cer mse mae rmse ppl perplexity reward return
"""
_PROGRESS = _STEPS | _EPOCHS | _COUNTERS | frozenset(_GROWS.split())
"""A number after one of these is another in each checkpoint; after a word that we don't know
it says of what it is the checkpoint, if there is a step beside it."""
_INDEXED = frozenset("fold rank shard part split seed trial member gpu".split())
"""A number after one of these does so in any case."""
_LONGEST_INDEX = 5
"""Digits; a longer number is a time, or counts something."""
_SHARD = re.compile(r"([0-9]+-of-[0-9]+)")
_COUNT = re.compile(r"((?:[A-Z]?[a-z]+|[A-Z]+)?)([^A-Za-z0-9/]*)([0-9]+(?:[^A-Za-z0-9/]+[0-9]+)*)")
"""A word and the numbers after it: ``loss_0.25``, ``rank3``, ``2026-08-01``."""
_VERSION = re.compile(r"-v[0-9]+$")
"""Lightning's, where a file of that name was there."""
_LONGEST_NUMBER = 18
"""Digits; a longer one counts nothing that anyone trained."""
_PLAIN = _STEPS | _EPOCHS | _COUNTERS | {"model", "net", "network", "weights", "state", "dict", "v"}
"""What may stand beside ``last``: ``last_model.pt``, but not ``last_hidden_layer.pt``."""
_BIN = frozenset({"model", "checkpoint", "ckpt", "weights"})
"""Any program writes a ``.bin``, so that one of these words must stand in its name."""
_OTHER_WORDS = """
    data dataset datasets dataloader loader split splits batch batches sample samples images
    labels targets indices embedding embeddings features latents activations prediction
    predictions pred preds output outputs logits result results metric metrics stats history
    log logs losses cache cached scaler scalers vocab tokenizer config args hparams optimizer
    optim scheduler rng random sampler grad grads gradients buffer replay tmp
"""
_OTHER = frozenset(_OTHER_WORDS.split())
"""Files that training saves beside its checkpoints, also once an epoch."""
_STATE = re.compile(
    r"(optimizer|scheduler|scaler|sampler|rng_state|random_states|training_args|dl_state_dict"
    r"|custom_checkpoint|meta)([-_][0-9]+)*\.(pt|pth|bin|pkl)"
)


def suffix(name: str) -> str:
    """The ending that makes a file a model file, in small letters, or ""."""
    if not name.lower().endswith(_ENDINGS):
        return ""  # nearly every file: this is asked of each, and costs a third of a search
    match = _SUFFIX.search(name)
    return match[1].lower() if match else ""


def suffixed(names: Collection[str]) -> Iterator[str]:
    """Those of a folder's names that end like a model file: most folders have none."""
    return filter(suffix, names) if _MAYBE.search("\n".join(names)) else iter(())


def words(name: str) -> list[str]:
    """``BestModel-epoch=03.ckpt`` → best, model, epoch, 03."""
    return [word.lower() for word in _WORD.findall(_SUFFIX.sub("", name))]


def role(name: str) -> Role:
    """``best`` and ``final`` also glued to a word (``bestmodel.pt``): both protect."""
    parts = words(name)
    if any(part.startswith("best") or part.endswith("best") for part in parts):
        return "best"
    if any(part.startswith("final") or part.endswith("final") for part in parts):
        return "final"
    return "last" if not {"last", "latest"}.isdisjoint(parts) else ""


def step(name: str) -> int | None:
    """The number that counts steps, else epochs, else checkpoints; 9 < 10 < 100."""
    numbered = [*pairwise(words(name))]
    for markers in (_STEPS, _EPOCHS, _COUNTERS):
        for word, number in numbered:
            if word in markers and number.isdecimal() and len(number) <= _LONGEST_NUMBER:
                return int(number)
    return None


@lru_cache(maxsize=4096)  # runs call their checkpoints alike
def series(path: str) -> str:
    """The path without the numbers that grow while one thing is trained: ``fold0_epoch3.pt``
    and ``fold0_epoch9.pt`` are of one series, ``fold1_epoch3.pt`` is of another.
    """
    folder, slash, name = path.rpartition("/")
    ending = suffix(name)
    stem = _VERSION.sub("", name[: len(name) - len(ending)])
    tells = _tells_what if step(name) is not None else _INDEXED.__contains__
    return _without_numbers(folder, _tells_what) + slash + _without_numbers(stem, tells) + ending


def _tells_what(word: str) -> bool:
    return word not in _PROGRESS


def _without_numbers(text: str, tells: Callable[[str], bool]) -> str:
    """But for shards (``00001-of-00002``) and what stands alone after a word that `tells`."""

    def shortened(match: re.Match[str]) -> str:
        word, between, number = match.groups()
        alone = number.isdecimal() and len(number) <= _LONGEST_INDEX
        return match[0] if alone and tells(word.lower()) else f"{word}{between}#"

    parts = _SHARD.split(text)
    parts[::2] = [_COUNT.sub(shortened, part) for part in parts[::2]]
    return "".join(parts)


def counts_steps(name: str) -> bool:
    """Whether ``step(name)`` is a step, and not an epoch or a mere counter."""
    return any(word in _STEPS and number.isdecimal() for word, number in pairwise(words(name)))


def is_checkpoint(name: str) -> bool:
    """Whether the name alone is proof."""
    kind = suffix(name)
    if not kind:
        return False
    parts = words(name)
    if kind == ".bin" and _BIN.isdisjoint(parts):
        return False
    if kind != ".ckpt" and not _OTHER.isdisjoint(parts):
        return False
    if step(name) is not None or role(name) in ("best", "final"):
        return True
    if role(name) == "last":
        rest = {part for part in parts if not part.isdecimal()} - {"last", "latest"}
        return kind == ".ckpt" or rest <= _PLAIN
    return parts in (["checkpoint"], ["ckpt"])


def is_weights(name: str) -> bool:
    """A saved model under the name that libraries give it: ``model.safetensors``."""
    return _WEIGHTS.fullmatch(name) is not None


def is_state(name: str) -> bool:
    """What lies beside the weights in a checkpoint folder: optimizer, random state, …"""
    return _STATE.fullmatch(name) is not None
