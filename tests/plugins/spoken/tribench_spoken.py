"""speech-tiny on the small packages of tests/fixtures/prompt_files.py, which TRIBENCH_DATA has."""

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from tasks import speech
from tasks.data.prompts import SOUNDS, TEXTS, VoicePrompts

STEPS = 60


def tasks():
    """``spoken-tiny``, trained for two epochs."""
    folder = Path(os.environ["TRIBENCH_DATA"])
    first, second = (sha256((folder / name).read_bytes()).hexdigest() for name in (SOUNDS, TEXTS))
    name = "spoken-tiny"
    return [
        replace(
            speech.tiny(),
            name=name,
            model=speech.recognizer(name, steps=STEPS, width=16, hidden=16),
            data=VoicePrompts(steps=STEPS, checksums=(first, second)),
            batch_size=2,
            timed_batch_size=4,
            epochs=2,
        )
    ]
