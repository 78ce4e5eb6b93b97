"""Simulated machines answer on their own address: boot, files, health, hanging, and the end of a disk."""

import json
import socket
from contextlib import suppress
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from component.simulated_cloud import NEVER, Cloud, running_cloud
from hotdesk_local.machines.disk import Disk, OutsideDiskError
from hotdesk_local.machines.heartbeat import Heart
from waiting import wait_for


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Cloud) -> Cloud:
    _cloud.reset()
    _cloud.configure(serve=True)
    return _cloud


def start(cloud: Cloud) -> tuple[str, str]:
    """Run one machine and return its id and address once it answers."""
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)["Instances"][0]
    machine, address = made["InstanceId"], made["PrivateIpAddress"]
    wait_for(lambda: answers(address), what=f"{machine} answers at {address}")
    return machine, address


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def answers(address: str) -> bool:
    try:
        return ask(address, "/healthz")[0] == 200
    except (URLError, RemoteDisconnected, ConnectionError):
        return False


def ask(address: str, path: str, *, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    request = Request(f"http://{address}:8080{path}", data=body, method=method)  # http, ours
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310  # http, ours
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_running_machine_refuses_connections_until_it_has_booted(cloud: Cloud):
    cloud.configure(boot=NEVER)
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)["Instances"][0]
    cloud.until_state(made["InstanceId"], "running")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((made["PrivateIpAddress"], 8080), timeout=30)
    cloud.configure(boot=0)
    wait_for(lambda: answers(made["PrivateIpAddress"]), what="it answers")


def test_each_machine_answers_with_its_own_name(cloud: Cloud):
    for machine, address in (start(cloud), start(cloud)):
        assert f"Machine {machine}" in ask(address, "/")[1].decode()


def test_files_survive_stop_and_start_and_die_with_the_machine(cloud: Cloud):
    machine, address = start(cloud)
    assert ask(address, "/files/src/a%20b.py", method="PUT", body=b"x = 1\n")[0] == 204
    disk = Path(cloud.machine(machine)["disk"])
    assert (disk / "src/a b.py").read_bytes() == b"x = 1\n"
    cloud.ec2.stop_instances(InstanceIds=[machine])
    cloud.until_state(machine, "stopped")
    with pytest.raises(URLError):
        ask(address, "/")
    cloud.ec2.start_instances(InstanceIds=[machine])
    wait_for(lambda: answers(address), what="it answers again")
    assert ask(address, "/files/src/a%20b.py") == (200, b"x = 1\n")
    assert "a b.py" in ask(address, "/")[1].decode()
    cloud.ec2.terminate_instances(InstanceIds=[machine])
    cloud.until_state(machine, "terminated")
    assert not disk.exists()


@pytest.mark.parametrize(
    "path",
    [
        "/files/../other/x",
        "/files/%2e%2e/x",
        "/files/..%2fx",
        "/files//etc/passwd",
        "/files/%2Fetc%2Fpasswd",
        "/files/",
    ],
)
def test_no_path_leaves_the_disk(cloud: Cloud, path):
    machine, address = start(cloud)
    connection = HTTPConnection(address, 8080, timeout=60)
    connection.putrequest("PUT", path, skip_host=False)
    connection.putheader("Content-Length", "1")
    connection.endheaders(b"x")
    assert connection.getresponse().status in {400, 404}
    connection.close()
    disk = Path(cloud.machine(machine)["disk"])
    assert list(disk.rglob("*")) == []
    assert not (disk.parent / "x").exists()


def test_a_link_on_the_disk_leads_nowhere(tmp_path):
    disk = Disk(tmp_path / "disk")
    disk.root.mkdir()
    (tmp_path / "secret").write_text("secret")
    (disk.root / "link").symlink_to(tmp_path / "secret")
    (disk.root / "out").symlink_to(tmp_path)
    for name in ("link", "out/secret"):
        with pytest.raises(OutsideDiskError):
            disk.read(name)
    with pytest.raises(OutsideDiskError):
        disk.write("out/new", b"x")
    assert disk.files() == []


def test_text_from_strangers_is_escaped(cloud: Cloud):
    _, address = start(cloud)
    ask(address, "/files/%3Cimg%20src=x%3E", method="PUT", body=b"")
    page = ask(address, "/?folder=%3Cscript%3Ealert(1)%3C/script%3E")[1].decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_stored_page_is_not_run_by_a_browser(cloud: Cloud):
    _, address = start(cloud)
    ask(address, "/files/evil.html", method="PUT", body=b"<script>alert(1)</script>")
    with urlopen(f"http://{address}:8080/files/evil.html", timeout=60) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_healthz_tells_use_and_is_none_itself(cloud: Cloud):
    _, address = start(cloud)
    assert json.loads(ask(address, "/healthz")[1]) == {"status": "expired", "lastHeartbeat": 0}
    assert ask(address, "/not/there")[0] == 404  # use, as code-server counts it
    used = json.loads(ask(address, "/healthz")[1])
    assert used["status"] == "alive"
    assert used["lastHeartbeat"] > 1_600_000_000_000
    assert json.loads(ask(address, "/healthz")[1]) == used


def test_a_heart_beats_again_while_a_connection_is_open_and_expires_without():
    heart = Heart()
    heart.beat(now=1000.0)
    heart.pass_time(now=1059.9, connections=1)
    assert heart.last == 1000.0
    heart.pass_time(now=1060.0, connections=1)
    assert heart.last == 1060.0
    heart.pass_time(now=1120.0, connections=0)
    assert heart.health(now=1120.0) == {"status": "expired", "lastHeartbeat": 1_060_000}
    heart.pass_time(now=1200.0, connections=1)  # the timer ended: only a request revives it
    assert heart.last == 1060.0


def test_a_heart_that_never_beat_is_not_started_by_connections():
    heart = Heart()
    heart.pass_time(now=1000.0, connections=5)
    assert heart.health(now=1000.0) == {"status": "expired", "lastHeartbeat": 0}


def test_a_hanging_machine_accepts_and_never_answers(cloud: Cloud):
    machine, address = start(cloud)
    cloud.sim(f"machines/{machine}/hang", method="POST")
    with socket.create_connection((address, 8080), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert cloud.state(machine) == "running"
        assert cloud.machine(machine)["hanging"] is True
    cloud.sim(f"machines/{machine}/heal", method="POST")
    assert ask(address, "/healthz")[0] == 200


def test_losing_power_cuts_open_connections(cloud: Cloud):
    machine, address = start(cloud)
    with socket.create_connection((address, 8080), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(10_000)
        cloud.sim(f"machines/{machine}/terminate", method="POST")
        with suppress(ConnectionResetError):  # cut is cut
            assert connection.recv(1) == b""


def test_without_serving_no_machine_listens(cloud: Cloud):
    machine, address = start(cloud)
    cloud.configure(serve=False)
    assert cloud.machine(machine)["serving"] is False
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 8080), timeout=30)
    cloud.configure(serve=True)
    wait_for(lambda: answers(address), what="it answers again")


def test_a_machine_listens_nowhere_but_on_its_own_address(cloud: Cloud):
    start(cloud)
    for address in ("127.0.0.1", socket.gethostbyname(socket.gethostname())):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, 8080), timeout=30)


def test_three_hundred_machines_answer_side_by_side(cloud: Cloud):
    files = open_files()
    group = cloud.group(maximum=300)
    cloud.desire(group, 300)
    wait_for(
        lambda: sum(m["serving"] for m in cloud.sim(f"machines?group={group}")["machines"]) == 300, what="all serve"
    )
    addresses = [m["privateIP"] for m in cloud.sim(f"machines?group={group}")["machines"]]
    assert len(set(addresses)) == 300
    assert all(answers(address) for address in addresses[::50])
    cloud.reset()
    wait_for(lambda: open_files() < files + 50, what="their sockets are closed")
