"""Every real server starts and answers its own kind of client."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from servers.installed import ServerMissing, installed
from servers.minio import minio
from servers.nginx import nginx
from servers.postgresql import PostgresqlServer, postgresql
from servers.process import Process, ServerFailed, free_port, http_status
from servers.s3_server import S3Server
from servers.versitygw import versitygw


def has_ended(pid: int) -> bool:
    """An orphan is init's to bury: one that lies there as a zombie has ended."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def put_and_get(server: S3Server, bucket: str) -> None:
    client = server.boto3_client()
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="folder/ä b.txt", Body=b"bytes")
    assert client.get_object(Bucket=bucket, Key="folder/ä b.txt")["Body"].read() == b"bytes"
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["folder/ä b.txt"]


def test_minio_puts_and_gets(minio_server: S3Server) -> None:
    put_and_get(minio_server, "servers-test")


def test_versitygw_puts_and_gets_a_plain_file(versitygw_server: S3Server) -> None:
    put_and_get(versitygw_server, "servers-test")
    assert Path(versitygw_server.data_dir, "servers-test/folder/ä b.txt").read_bytes() == b"bytes"


def test_minio_issues_short_lived_keys(minio_server: S3Server) -> None:
    sts = minio_server.boto3_client("sts")
    answer = sts.assume_role(RoleArn="arn:xxx:xxx:xxx:xxxx", RoleSessionName="test", DurationSeconds=900)
    assert answer["Credentials"]["SessionToken"]


def test_postgresql_answers_sqlalchemy(postgresql_server: PostgresqlServer) -> None:
    engine = create_engine(postgresql_server.create_database())
    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
    engine.dispose()


def test_postgresql_hands_out_copies_of_a_template(postgresql_server: PostgresqlServer) -> None:
    template = postgresql_server.create_database()
    address = template.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("create table things (name text)")
        connection.execute("insert into things values ('kept')")
    copy, empty = postgresql_server.create_database(template=template), postgresql_server.create_database()
    with psycopg.connect(copy.replace("+psycopg", "")) as connection:
        assert connection.execute("select name from things").fetchall() == [("kept",)]
    with (
        psycopg.connect(empty.replace("+psycopg", "")) as connection,
        pytest.raises(psycopg.errors.UndefinedTable),
    ):
        connection.execute("select name from things")


def test_postgresql_comes_back_with_its_data_after_a_stop() -> None:
    with postgresql() as server:
        address = server.create_database().replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("create table kept (n int)")
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)
        server.start()
        with psycopg.connect(address) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_nginx_serves_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_bytes(b"plain")
    with (
        nginx(str(tmp_path), data_dir=str(tmp_path / "data")) as server,
        urllib.request.urlopen(f"{server.endpoint}/a.txt") as answer,
    ):
        assert answer.read() == b"plain"


def test_mc_is_the_minio_client(mc_path: str) -> None:
    shown = subprocess.run([mc_path, "--version"], capture_output=True, text=True, check=True).stdout
    assert "MinIO" in shown


def test_rclone_and_aws_answer(rclone_path: str, aws_path: str) -> None:
    assert subprocess.run([rclone_path, "version"], capture_output=True, text=True, check=True).stdout.startswith(
        "rclone v"
    )
    shown = subprocess.run([aws_path, "--version"], capture_output=True, text=True, check=True)
    assert "aws-cli" in shown.stdout + shown.stderr


@pytest.mark.parametrize("tool", ["getfacl", "setfacl", "getfattr", "setfattr", "tmux", "nginx"])
def test_system_tools_are_installed(tool: str) -> None:
    assert os.access(installed(tool), os.X_OK)


def test_servers_are_gone_after_their_context(tmp_path: Path) -> None:
    for start in (minio, versitygw):
        with start(str(tmp_path)) as server:
            assert http_status(server.endpoint) in range(200, 500)
        assert server.process.returncode is not None
        assert http_status(server.endpoint) == 0


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('the disk is on fire')"]
    with (
        Process(command, log_path=str(tmp_path / "log")) as process,
        pytest.raises(ServerFailed, match="the disk is on fire"),
    ):
        process.wait_for_http(f"http://127.0.0.1:{free_port()}/")


def test_stopping_ends_children_too(tmp_path: Path) -> None:
    with Process(
        ["/bin/sh", "-c", "sleep 1000 & echo $! > child; wait"],
        log_path=str(tmp_path / "log"),
        cwd=str(tmp_path),
    ) as process:
        process.wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
        child = int((tmp_path / "child").read_text())
        os.kill(child, 0)
    assert has_ended(child)


def test_servers_die_with_the_test_run(tmp_path: Path) -> None:
    script = (
        "import sys, os; from servers.process import Process;"
        "p = Process(['/bin/sleep', '1000'], log_path=sys.argv[1]);"
        "p.wait_until(lambda: open(f'/proc/{p.pid}/comm').read() == 'sleep\\n');"
        "print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    pid = int(ended.stdout)
    assert ended.returncode == -9
    until = time.monotonic() + 10
    while not has_ended(pid):
        assert time.monotonic() < until


def test_a_missing_server_is_a_failure_that_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WIO_TEST_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ServerMissing, match=r"^minio is not installed: run `make test-servers`"),
        minio(str(tmp_path)),
    ):
        pass


def test_ports_are_free_and_never_handed_out_twice() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
