"""Where each system keeps Pythons and the data of programs, and which Python will do.

Jython 2.7, without a word of Java: the system, its variables and folders are given, so that Python 3 can test it too.
"""

import ntpath
import posixpath

WINDOWS, MAC, LINUX = "windows", "mac", "linux"
VERSIONS = ("3.12", "3.13", "3.11")
ACCEPTED = u"Python 3.11, 3.12 or 3.13 (64 bit, with venv and pip)"
LONGEST_INSIDE = 190
"""Longest path within an environment: TensorFlow's headers."""
LONGEST_OF_WINDOWS = 259

_NAME = "deepd3_ij"
_CONDAS = ("miniforge3", "mambaforge", "miniconda3", "anaconda3")


def system_of(os_name):
    """The system, of what Java calls it in its property os.name."""
    name = os_name.lower()
    if name.startswith("windows"):
        return WINDOWS
    return MAC if name.startswith(("mac", "darwin")) else LINUX


def paths_of(system):
    """What joins paths there."""
    return ntpath if system == WINDOWS else posixpath


def data_folder(system, variables, home):
    """Folder for our data that belongs to the user and stays on the computer."""
    join = paths_of(system).join
    if system == WINDOWS:
        top = variables.get("LOCALAPPDATA") or join(home, "AppData", "Local")
    elif system == MAC:
        top = join(home, "Library", "Application Support")
    else:
        top = variables.get("XDG_DATA_HOME") or ""
        if not posixpath.isabs(top):  # such a value shall be ignored, says its specification
            top = join(home, ".local", "share")
    return join(top, _NAME)


def python_of(environment, system):
    """The Python program of an environment."""
    join = paths_of(system).join
    return join(environment, "Scripts", "python.exe") if system == WINDOWS else join(environment, "bin", "python")


def too_long(folder, system):
    """True if files of an environment in it would have longer paths than Windows takes as it comes."""
    return system == WINDOWS and len(folder) + 1 + LONGEST_INSIDE > LONGEST_OF_WINDOWS


def commands(system, variables, home, matching):
    """Programs that may be a Python, as lists of words, those that are likely to do first.

    matching: gives the files that fit a pattern with *.
    """
    paths = paths_of(system)
    separator = ";" if system == WINDOWS else ":"
    ending = ".exe" if system == WINDOWS else ""
    names = ["python" + version for version in VERSIONS] + ["python3", "python"]
    folders = [folder.strip('"') for folder in (variables.get("PATH") or "").split(separator) if folder]
    found = []
    if system == WINDOWS:  # its launcher knows the Pythons that were installed
        for folder in folders + [variables.get("SystemRoot") or "C:\\Windows"]:
            found += [[path, "-" + version] for path in matching(paths.join(folder, "py.exe")) for version in VERSIONS]
    for name in names:
        for folder in folders:
            found += [[path] for path in matching(paths.join(folder, name + ending))]
    for pattern in _usual_places(system, variables, home):
        found += [[path] for path in matching(pattern)]
    return [words for number, words in enumerate(found) if words not in found[:number] and not _is_stub(words, system)]


def _usual_places(system, variables, home):
    join = paths_of(system).join
    places = []
    for version in VERSIONS:
        if system == WINDOWS:
            folder = "Python" + version.replace(".", "")
            tops = [join(variables.get("LOCALAPPDATA") or join(home, "AppData", "Local"), "Programs", "Python"),
                    variables.get("ProgramFiles") or "C:\\Program Files", "C:\\"]
            places += [join(top, folder, "python.exe") for top in tops]
        elif system == MAC:  # an application that is started by a click has a short PATH
            places += ["/Library/Frameworks/Python.framework/Versions/%s/bin/python%s" % (version, version),
                       "/opt/homebrew/bin/python" + version, "/usr/local/bin/python" + version,
                       "/opt/local/bin/python" + version]
        else:
            tops = ("/usr/bin", "/usr/local/bin", join(home, ".local", "bin"))
            places += [join(top, "python" + version) for top in tops]
        if system != WINDOWS:
            places += [join(home, ".pyenv", "versions", version + ".*", "bin", "python"),
                       join(home, ".local", "share", "uv", "python", "cpython-" + version + ".*", "bin", "python3")]
    program = "python.exe" if system == WINDOWS else join("bin", "python")
    tops = [home] + (["C:\\ProgramData"] if system == WINDOWS else ["/opt"])
    return places + [join(top, conda, program) for top in tops for conda in _CONDAS]


def _is_stub(words, system):
    """True for programs that are no Python: they open a shop or offer to install one."""
    if system == WINDOWS:
        return "\\windowsapps\\" in words[0].lower()
    return system == MAC and words[0] == "/usr/bin/python3"


QUESTION = (
    "import importlib.util as u, json, platform as p, sys, sysconfig; print('DEEPD3 ' + json.dumps({"
    "'version': '%d.%d' % sys.version_info[:2], 'full': p.python_version(), 'executable': sys.executable, "
    "'base': sys.base_prefix, 'bits': 64 if sys.maxsize > 2**32 else 32, 'machine': p.machine(), "
    "'venv': bool(u.find_spec('venv') and u.find_spec('ensurepip')), 'implementation': p.python_implementation(), "
    "'threads': bool(sysconfig.get_config_var('Py_GIL_DISABLED'))}))")
"""Asks a Python what it is; the answer is the line that begins with DEEPD3. On Windows Java passes no double quote."""


def misfit(answer, system):
    """Why an environment cannot be made with the Python that answered so; None if it can."""
    if answer["version"] not in VERSIONS:
        return u"has version %s" % answer["full"]
    if answer["bits"] != 64:
        return u"has 32 bit"
    if answer["implementation"] != "CPython" or answer["threads"]:
        return u"is another kind of Python, for which TensorFlow is not made"
    if "\\windowsapps\\" in answer["base"].lower():
        return u"comes from the Microsoft Store, which moves files elsewhere"
    if system == WINDOWS and answer["machine"].upper() == "ARM64":
        return u"is made for ARM, for which TensorFlow is not made on Windows"
    if system == MAC and answer["machine"] == "x86_64" and answer["version"] == "3.13":
        return u"is too new for TensorFlow on this Mac"
    if not answer["venv"]:
        return u"lacks venv or pip (on Debian and Ubuntu: install python%s-venv)" % answer["version"]
    return None
