from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from deepd3_ij import fiji
from deepd3_ij.fiji.installer import script_folder
from deepd3_ij.fiji.java import java_class
from deepd3_ij.service.in_process import publish


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    modules = tmp_path_factory.mktemp("jython") / "Lib"  # Jython writes what it compiles beside the modules
    shutil.copytree(script_folder() / "jars" / "Lib", modules)
    session = fiji.connect("embedded", commands=True)
    publish(session)
    system = java_class("java.lang.System")
    system.setProperty("python.path", str(modules))
    system.setProperty("python.cachedir.skip", "true")
    scripts = session.context.getService(java_class("org.scijava.script.ScriptService"))
    scripts.getIndex().add(java_class("org.python.jsr223.PyScriptEngineFactory")(), False)
    scripts.addAlias(java_class("ij.ImagePlus").class_)
    return session


@pytest.fixture
def run_script(session: Any) -> Callable[..., str]:
    """Runs a menu script by its name; gives its outcome."""
    def run(name: str, **inputs: Any) -> str:
        path = next((script_folder() / "scripts").rglob(name))
        info = java_class("org.scijava.script.ScriptInfo")(session.context, java_class("java.io.File")(str(path)))
        values = java_class("java.util.HashMap")()
        for key, value in inputs.items():
            values.put(key, value)
        java_class("java.lang.System").clearProperty("deepd3.outcome")
        scripts = session.context.getService(java_class("org.scijava.script.ScriptService"))
        scripts.run(info, True, values).get()
        return str(java_class("java.lang.System").getProperty("deepd3.outcome", "no outcome"))

    return run
