"""Names of models, and downloads from the Zoo (here: a server on this computer)."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from deepd3_ij.errors import Cancelled, ModelError
from deepd3_ij.file_identity import sha256_of
from deepd3_ij.model import load_model, zoo
from tests.unit.random_models import save_random


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.h5"
    save_random(path, filters=1, layers=1)
    return path.read_bytes()


@pytest.fixture
def served(tmp_path):
    """A folder, and the address under which its files are served."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: Handler(*arguments, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/{{name}}.h5"
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "models"


def test_the_six_names_of_the_zoo_are_listed_and_not_downloaded_at_first(cache):
    entries = {entry.name: entry for entry in zoo.available(cache)}
    for filters in (8, 16, 32):
        for suffix in ("", "_94nm"):
            entry = entries[f"DeepD3_{filters}F{suffix}"]
            assert (entry.origin, entry.path, entry.card()) == ("zoo", None, None)


def test_a_downloaded_model_is_found_by_name_and_loads(served, cache, model_bytes, monkeypatch):
    folder, address = served
    (folder / "DeepD3_8F_94nm.h5").write_bytes(model_bytes)
    steps = []
    path = zoo.download("DeepD3_8F_94nm", cache=cache, address=address,
                        progress=lambda done, total, message: steps.append((done, total)))
    assert path.read_bytes() == model_bytes
    assert steps[-1] == (len(model_bytes), len(model_bytes))
    assert zoo.find_model("DeepD3_8F_94nm", cache=cache) == path
    assert {entry.name for entry in zoo.available(cache) if entry.path} >= {"DeepD3_8F_94nm"}
    assert load_model(path).card.resolution_um == 0.094
    assert json.loads((cache / "sha256.json").read_text()) == {"DeepD3_8F_94nm.h5": sha256_of(path)}


def test_a_model_in_the_cache_is_not_downloaded_again(served, cache, model_bytes):
    folder, address = served
    (folder / "DeepD3_8F.h5").write_bytes(model_bytes)
    path = zoo.download("DeepD3_8F", cache=cache, address=address)
    (folder / "DeepD3_8F.h5").unlink()
    assert zoo.download("DeepD3_8F", cache=cache, address=address) == path


def test_a_file_that_changed_since_its_download_is_refused(served, cache, model_bytes):
    folder, address = served
    (folder / "DeepD3_8F.h5").write_bytes(model_bytes)
    path = zoo.download("DeepD3_8F", cache=cache, address=address)
    path.write_bytes(model_bytes + b"x")
    for use in (lambda: zoo.find_model("DeepD3_8F", cache=cache),
                lambda: zoo.download("DeepD3_8F", cache=cache, address=address)):
        with pytest.raises(ModelError, match="SHA-256 differs"):
            use()


def test_another_file_than_at_the_first_download_is_refused(served, cache, model_bytes, tmp_path):
    folder, address = served
    (folder / "DeepD3_8F.h5").write_bytes(model_bytes)
    zoo.download("DeepD3_8F", cache=cache, address=address).unlink()
    save_random(tmp_path / "other.h5", filters=1, layers=1, seed=9)
    (folder / "DeepD3_8F.h5").write_bytes((tmp_path / "other.h5").read_bytes())
    with pytest.raises(ModelError, match="another file than at the first download"):
        zoo.download("DeepD3_8F", cache=cache, address=address)
    assert sorted(item.name for item in cache.iterdir()) == ["sha256.json"]


def test_what_is_no_model_does_not_stay_in_the_cache(served, cache):
    folder, address = served
    (folder / "DeepD3_8F.h5").write_text("<html>moved</html>")
    with pytest.raises(ModelError, match=r"no usable model: DeepD3_8F\.h5"):
        zoo.download("DeepD3_8F", cache=cache, address=address)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/{name}.h5", "http://no-such-host.invalid/{name}.h5"])
def test_without_a_connection_there_is_one_clear_line_and_no_leftover(cache, address):
    with pytest.raises(ModelError, match="check the network connection") as caught:
        zoo.download("DeepD3_16F", cache=cache, address=address)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_an_address_without_the_file_is_one_clear_line(served, cache):
    with pytest.raises(ModelError, match="cannot be downloaded"):
        zoo.download("DeepD3_16F", cache=cache, address=served[1])


def test_a_cancelled_download_leaves_nothing(served, cache, model_bytes):
    def stop(done, total, message):
        raise Cancelled("stopped")

    folder, address = served
    (folder / "DeepD3_8F.h5").write_bytes(model_bytes)
    with pytest.raises(Cancelled):
        zoo.download("DeepD3_8F", cache=cache, address=address, progress=stop)
    assert list(cache.iterdir()) == []


def test_an_unknown_name_lists_the_known_ones(cache):
    for use in (lambda: zoo.find_model("DeepD3_64F", cache=cache), lambda: zoo.download("DeepD3_64F", cache=cache)):
        with pytest.raises(ModelError, match="DeepD3_8F, ") as caught:
            use()
        assert "DeepD3_32F_94nm" in str(caught.value)


def test_a_zoo_name_that_is_not_downloaded_says_how_to_get_it(cache):
    with pytest.raises(ModelError, match="deepd3-ij models get DeepD3_32F"):
        zoo.find_model("DeepD3_32F", cache=cache)


def test_names_cannot_leave_the_cache(cache):
    with pytest.raises(ModelError, match="check the path"):
        zoo.find_model("../../etc/DeepD3_8F", cache=cache)
    with pytest.raises(ModelError, match="There is no model"):
        zoo.download("../DeepD3_8F", cache=cache)


def test_bundled_models_are_named_after_their_files_and_one_is_the_default(monkeypatch, tmp_path, cache):
    monkeypatch.setattr(zoo, "_BUNDLED", tmp_path)
    with pytest.raises(ModelError, match="No model is given"):
        zoo.default_model()
    save_random(tmp_path / "little.keras", filters=1, layers=1)
    assert zoo.default_model() == "little"
    assert zoo.find_model("little", cache=cache) == zoo.find_model(None, cache=cache) == tmp_path / "little.keras"
    assert load_model().name == "little"
    assert zoo.available(cache)[0].card().name == "little"
