"""Known mistakes about losses: the value that is computed with one thing changed.

Sources: Keras's clipping of probabilities (keras 3, losses.sparse_categorical_crossentropy), label
smoothing that spares the target (fairseq and OpenNMT share it among the other classes), PyTorch's
"mean" of CTC (torch.nn.CTCLoss), and the blank as the last class (tf.nn.ctc_loss's default was so).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.parity.known_mistakes.words import Mistake
from tasks.spec import CTC, CrossEntropy, Loss

Floats = NDArray[np.float64]
Targets = NDArray[np.int32]
Valid = NDArray[np.bool_] | None
Rule = Callable[[Floats, Targets, Valid], Any]  # a number
Size = Callable[[Floats, Targets], int]
Found = tuple[str, str, dict[str, Any]]  # a word, a name for people, and changes of a rule

KERAS_CLIP = 1e-7  # of probabilities, keras.backend.epsilon()
AMOUNTS = (0.1, 0.05, 0.2)  # of smoothing that people use


def mistakes(loss: Loss, sizes: Collection[int]) -> Iterator[Mistake[Rule]]:
    """Mistakes about this loss, with those where one of these ``sizes`` takes the place of the
    number of samples; none is known about others than cross-entropy and CTC.
    """
    match loss:
        case CrossEntropy():
            rule, own = partial(cross_entropy, loss), _of_cross_entropy(loss)
        case CTC():
            rule, own = partial(ctc, loss), _of_ctc(loss)
        case _:
            return
    every: list[Found] = [
        ("mean", "the sum over the batch in place of the mean", {"over": lambda z, y: 1}),
        *own,
        ("logarithm", "logarithms to base 2", {"scale": 1 / np.log(2)}),
        ("sign", "the negative of the loss", {"scale": -1.0}),
    ]
    for size in sorted(sizes):
        words = f"the sum divided by the recipe's batch size of {size}"
        every.append(("mean", words, {"over": lambda z, y, size=size: size}))
    for word, words, changes in every:
        yield Mistake(word, words, partial(rule, **changes))


def log_softmax(logits: Floats) -> Floats:
    """As specified."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs


def twice(logits: Floats) -> Floats:
    """Of probabilities taken for logits."""
    return log_softmax(np.exp(log_softmax(logits)))


def left_out(logits: Floats) -> Floats:
    """None."""
    return logits


def clipped(logits: Floats) -> Floats:
    """Keras's."""
    found: Floats = np.log(np.clip(np.exp(log_softmax(logits)), KERAS_CLIP, 1 - KERAS_CLIP))
    return found


def smoothed(amount: float, logs: Floats, hit: Floats) -> Floats:
    """Of log-probabilities (targets, classes) and those of the targets, as specified."""
    found: Floats = (1 - amount) * hit + amount * logs.mean(axis=1)
    return found


def among_others(amount: float, logs: Floats, hit: Floats) -> Floats:
    """All of it to the other classes."""
    found: Floats = (1 - amount) * hit + amount * (logs.sum(axis=1) - hit) / (logs.shape[1] - 1)
    return found


def target_spared(amount: float, logs: Floats, hit: Floats) -> Floats:
    """The target's share to nobody."""
    found: Floats = (1 - amount) * hit + amount * (logs.sum(axis=1) - hit) / logs.shape[1]
    return found


def one_class_less(amount: float, logs: Floats, hit: Floats) -> Floats:
    """Shares of K - 1 classes for K of them."""
    found: Floats = (1 - amount) * hit + amount * logs.sum(axis=1) / (logs.shape[1] - 1)
    return found


def counted(logits: Floats, targets: Targets) -> int:
    """The targets that count, as specified for the cross-entropy."""
    return int((targets >= 0).sum())


def samples(logits: Floats, targets: Targets) -> int:
    """As specified for CTC."""
    return len(logits)


def cross_entropy(
    loss: CrossEntropy,
    logits: Floats,
    targets: Targets,
    valid: Valid,
    *,
    logs: Callable[[Floats], Floats] = log_softmax,
    share: Callable[[float, Floats, Floats], Floats] = smoothed,
    amount: float | None = None,
    below: int | None = None,
    over: Size = counted,
    by_sample: bool = False,
    smoothed_over_all: bool = False,
    scale: float = 1.0,
) -> Any:
    """The loss with these changes: ``below`` is the class that targets below 0 are taken for, and
    ``over`` what the sum of all terms is divided by; ``by_sample`` takes each sample's mean first;
    ``smoothed_over_all`` takes the smoothing's mean over all targets.
    """
    if below is not None:
        targets = np.where(targets < 0, below % logits.shape[-1], targets)
    if by_sample:
        rows = [row for row in zip(logits, targets, strict=True) if (row[1] >= 0).any()]
        return sum(cross_entropy(loss, *row, None) for row in rows) / max(1, len(rows))
    if smoothed_over_all:
        plain = cross_entropy(loss, logits, targets, valid, amount=0.0)
        return (1 - loss.smoothing) * plain - loss.smoothing * logs(logits).mean()
    found = logs(logits)[targets >= 0]
    hit = found[np.arange(len(found)), targets[targets >= 0]]
    each = share(loss.smoothing if amount is None else amount, found, hit)
    return -scale * each.sum() / max(1, over(logits, targets))


def _of_cross_entropy(loss: CrossEntropy) -> Iterator[Found]:
    yield "mean", "the mean over batch and classes", {"over": lambda z, y: z.size}
    yield "mean", "the mean over all targets in place of those that count", {"over": every_target}
    yield "mean", "the mean of each sample, then over the samples", {"by_sample": True}
    yield "mean", "the sum over steps, then the mean over the samples", {"over": samples}
    yield "targets", "targets below 0 taken for class 0", {"below": 0}
    yield "targets", "targets below 0 taken for the last class", {"below": -1}
    if loss.smoothing:
        yield "smoothing", "label smoothing ignored", {"amount": 0.0}
        for words, share in (
            ("label smoothing shared among the other classes alone", among_others),
            ("label smoothing that leaves the target out", target_spared),
            ("label smoothing divided by K - 1 in place of K", one_class_less),
        ):
            yield "smoothing", words, {"share": share}
        words = "label smoothing of targets that are left out too"
        yield "smoothing", words, {"smoothed_over_all": True}
    for amount in AMOUNTS:
        if amount != loss.smoothing:
            yield "smoothing", f"label smoothing of {amount:g}", {"amount": amount}
    yield "clipping", "probabilities clipped at 1e-7, as Keras does", {"logs": clipped}
    yield "softmax", "softmax applied twice", {"logs": twice}
    yield "softmax", "the logit in place of its log-softmax", {"logs": left_out}


def every_target(logits: Floats, targets: Targets) -> int:
    """Those below 0 too."""
    return targets.size


def ctc(
    loss: CTC,
    logits: Floats,
    targets: Targets,
    valid: Valid,
    *,
    logs: Callable[[Floats], Floats] = log_softmax,
    blank: int | None = None,
    padding: bool = False,
    repeats: bool = False,
    among: Callable[[Any], Any] = np.logaddexp.reduce,
    each_over: Callable[[Targets, Floats], int] = lambda labels, scores: 1,
    over: Size = samples,
    scale: float = 1.0,
) -> Any:
    """The loss with these changes: the class of the ``blank``, whether ``padding`` counts as steps,
    whether labels that are ``repeats`` need no blank between them, what the alignments ``among``
    which a state is reached are reduced by, and what a sample's term and all are divided by.
    """
    total = 0.0
    for sample, (z, labels) in enumerate(zip(logits, targets, strict=True)):
        rows = slice(None) if valid is None or padding else valid[sample]
        scores, labels = logs(z)[rows], labels[labels >= 0]
        states = np.full(2 * len(labels) + 1, loss.blank if blank is None else blank)
        states[1::2] = labels
        skips = np.arange(len(states)) % 2 == 1
        skips[:2] = False
        skips[2:] &= repeats | (states[2:] != states[:-2])
        reached = np.where(np.arange(len(states)) == 0, 0.0, -np.inf)
        for score in scores[:, states % z.shape[1]]:
            one, two = (np.append(np.full(n, -np.inf), reached)[: len(reached)] for n in (1, 2))
            reached = score + among([reached, one, np.where(skips, two, -np.inf)])
        total -= among(reached[-2:]) / max(1, each_over(labels, scores))
    return scale * total / max(1, over(logits, targets))


def _of_ctc(loss: CTC) -> Iterator[Found]:
    def of_labels(labels: Targets, scores: Floats) -> int:
        return len(labels)

    def of_steps(labels: Targets, scores: Floats) -> int:
        return len(scores)

    yield (
        "mean",
        "each sample divided by its number of labels, as PyTorch's",
        {"each_over": of_labels},
    )
    yield "mean", "each sample divided by its number of steps", {"each_over": of_steps}
    yield "mean", "the mean over the labels in place of the samples", {"over": counted}
    yield "mask", "padding taken for steps", {"padding": True}
    yield "blank", f"the last class as the blank in place of class {loss.blank}", {"blank": -1}
    if loss.blank:
        yield "blank", f"class 0 as the blank in place of class {loss.blank}", {"blank": 0}
    yield "alignments", "labels that repeat without a blank between them", {"repeats": True}
    yield "alignments", "the most probable alignment in place of all", {"among": np.maximum.reduce}
    yield "softmax", "softmax applied twice", {"logs": twice}
    yield "softmax", "the logits in place of their log-softmax", {"logs": left_out}
