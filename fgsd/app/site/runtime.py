"""ONNX Runtime Web, which evaluates the network in a browser: from npm, fetched once and kept."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import itertools
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from fgsd.atomic import write_atomically

VERSION = "1.30.0"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/{ARCHIVE}"
# of the archive, as npm states it: other content is refused
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
LICENSE_FILE = "onnxruntime-license.txt"
LICENSE = """\
ONNX Runtime, https://github.com/microsoft/onnxruntime, which also lists the software that is part of it
(ThirdPartyNotices.txt).

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR
THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
# Builds of the runtime by name, as in `web/site/runtimes.js`: the module, that of its threads, and its code.
# A browser loads one of them: "wasm" without WebGPU, "jspi" with it, and "asyncify" with it where WebAssembly
# cannot wait for promises. With WebGPU they evaluate by WASM too, as fast as the first one.
RUNTIMES = {
    "wasm": ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    "jspi": ("ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
    "asyncify": (
        "ort.webgpu.min.mjs",
        "ort-wasm-simd-threaded.asyncify.mjs",
        "ort-wasm-simd-threaded.asyncify.wasm",
    ),
}
GZIP_LEVEL = 6  # the highest one takes twice as long for 1 % less
TIMEOUT_S = 60.0


def cached_archive() -> Path:
    """Return where the archive is kept: in the cache folder of the user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fgsd" / ARCHIVE


def runtime_files(archive: Path | None = None) -> dict[str, bytes]:
    """Return the files of `RUNTIMES` by name; their code is gzipped, which makes a quarter of it.

    Parameters
    ----------
    archive : Path, optional
        The package as npm serves it, for machines without internet: `npm pack` fetches it. By default it is
        fetched, and kept for the next time.

    Raises
    ------
    ValueError
        If the archive cannot be fetched or read, or is another one.
    """
    content = _fetched() if archive is None else _checked(archive.read_bytes(), str(archive))
    with tarfile.open(fileobj=io.BytesIO(content), encoding="utf-8") as packed:
        files = {}
        for name in itertools.chain(*RUNTIMES.values()):
            member = packed.extractfile(f"package/dist/{name}")
            assert member is not None  # the digest says that it is there
            files[name] = member.read()
    codes = [code for _, _, code in RUNTIMES.values()]
    with ThreadPoolExecutor() as pool:
        zipped = pool.map(lambda code: gzip.compress(files[code], GZIP_LEVEL, mtime=0), codes)
        return files | dict(zip(codes, zipped, strict=True))


def _fetched() -> bytes:
    path = cached_archive()
    if path.is_file():
        content = path.read_bytes()
        if _digest(content) == SHA512:
            return content
    advice = f"fetch it elsewhere by: npm pack onnxruntime-web@{VERSION}, and name the file by --runtime"
    try:
        answer = httpx.get(URL, timeout=TIMEOUT_S, follow_redirects=True).raise_for_status()
    except httpx.HTTPError as error:
        raise ValueError(f"{URL} cannot be fetched ({error}); {advice}") from None
    content = _checked(answer.content, URL)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return content


def _checked(content: bytes, source: str) -> bytes:
    if _digest(content) != SHA512:
        raise ValueError(f"{source}: this is not {ARCHIVE} as npm publishes it; npm pack fetches that")
    return content


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()
