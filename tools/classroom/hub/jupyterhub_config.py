"""JupyterHub for a class on one machine; ``make hub`` starts it.

What it shares with a class on Kubernetes stands in values.yaml beside it; here
is only what one machine needs besides. The hub, its proxy and the students'
servers speak over sockets in a folder that only the hub can enter; the one
port is the proxy's, on this machine only.
"""

import os
import sys
from pathlib import Path

import yaml

from tools.classroom.hub.sandbox import SandboxSpawner

c = get_config()  # noqa: F821, JupyterHub lends it
state, run = Path(os.environ["HUB_STATE"]), Path(os.environ["HUB_RUN"])
values = yaml.safe_load(Path(__file__).with_name("values.yaml").read_text())


def socket(name):
    """Return the address of one of this run's sockets."""
    return "http+unix://" + str(run / name).replace("/", "%2F")


for name, settings in values["hub"]["config"].items():
    c[name].update(settings)
single = values["singleuser"]
c.Spawner.default_url = single["defaultUrl"]
c.Spawner.start_timeout = single["startTimeout"]
c.Spawner.environment = single["extraEnv"]
for kind, settings in (("mem", single["memory"]), ("cpu", single["cpu"])):
    for bound, value in settings.items():
        c.Spawner[f"{kind}_{bound}"] = value

c.Authenticator.allowed_users = set(os.environ["HUB_NAMES"].split())
c.Authenticator.admin_users = {os.environ["HUB_TEACHER"]}
c.FirstUseAuthenticator.dbm_path = str(state / "passwords.dbm")

c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['HUB_PORT']}"
c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = socket("hub.sock")
c.JupyterHub.hub_socket_mode = 0o666  # the folder keeps others out
c.ConfigurableHTTPProxy.command = os.environ["HUB_PROXY"].split("\n")
c.ConfigurableHTTPProxy.api_url = socket("proxy.sock")
c.ConfigurableHTTPProxy.pid_file = str(run / "proxy.pid")
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"

c.JupyterHub.spawner_class = SandboxSpawner
c.SandboxSpawner.state, c.SandboxSpawner.run = str(state), str(run)
c.Spawner.env_keep = ["LANG", "LC_ALL"]
c.Spawner.port = 8888  # Jupyter's own, which it wants to see beside a socket

if values["cull"]["enabled"]:
    c.JupyterHub.services = [
        {
            "name": "culler",
            "command": [
                *(sys.executable, "-m", "jupyterhub_idle_culler"),
                f"--url=http://127.0.0.1:{os.environ['HUB_PORT']}/hub/api",
                f"--timeout={values['cull']['timeout']}",
                f"--cull-every={values['cull']['every']}",
            ],
        }
    ]
    c.JupyterHub.load_roles = [
        {
            "name": "culler",
            "services": ["culler"],
            "scopes": [
                "list:users",
                "read:users:activity",
                "read:servers",
                "delete:servers",
            ],
        }
    ]
