"""The file a person sources to talk to the stack from a shell."""

import shlex
from pathlib import Path

from hotdesk_local.stack import LocalStack


def write_environment(stack: LocalStack) -> Path:
    """Write `env` into the stack's folder, with a kubectl of the API server's version first on the PATH."""
    tools = stack.state.folder / "bin"
    tools.mkdir(exist_ok=True)
    kubectl = tools / "kubectl"
    kubectl.unlink(missing_ok=True)
    kubectl.symlink_to(stack.controlplane.binaries.kubectl)
    variables = {
        **stack.env,
        **{_variable(process.name): str(process.pid) for process in stack.state.processes},
    }
    lines = ["# Written by `hotdesk local up`; for `source`.", "unset AWS_PROFILE AWS_SESSION_TOKEN"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [f'export PATH={shlex.quote(str(tools))}:"$PATH"']
    path = stack.state.folder / "env"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def _variable(process: str) -> str:
    return f"HOTDESK_{process.upper().replace('-', '_')}_PID"
