"""No secret is in anything that a run writes or says."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from paretosteer.cells.record_content import error
from paretosteer.doctor import examine, folders
from paretosteer.errors import UsageError
from paretosteer.findings import Finding
from paretosteer.runtime.secrets import redact
from paretosteer.sweeps.compose import compose_cell, compose_sweep

KEY, TOKEN = "5ecc1e7" * 5 + "0ff1c", "hf_AbCdEfGhIjKlMnOpQrStUvWx"
PROGRAM = Path(sys.executable).with_name("paretosteer")


def ran(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # Another test's wandb may have left the address of its service, which ends with that test.
    inherited = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}
    return subprocess.run(
        [PROGRAM, *words],
        cwd=folder,
        env={**inherited, "WANDB_API_KEY": KEY, "HF_TOKEN": TOKEN, **environment},
        capture_output=True,
        text=True,
    )


def holding(folder: Path, secrets: tuple[str, ...]) -> list[str]:
    """Files that hold one of the secrets, byte for byte."""
    sought = [secret.encode() for secret in secrets]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if any(each in path.read_bytes() for each in sought)]


@pytest.mark.slow
def test_a_whole_run_keeps_no_secret(tmp_path: Path) -> None:
    done = ran(
        tmp_path,
        *("sweep", "benchmark=bandit", "budget=smoke", "sweep_dir=here", "method=start,clp"),
        *("tracker=wandb", "tracker.mode=offline"),
    )
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert list(tmp_path.rglob("record.json"))
    assert list(tmp_path.rglob("*.wandb")), done.stderr
    assert holding(tmp_path, (KEY, TOKEN)) == []


@pytest.mark.parametrize(
    "override",
    [
        "model.path=https://user:s3cr3tpass@host/model",
        "model.path=https://s3cr3tpass@host/model",
        "benchmark.path=https://host/data?access_token=s3cr3tpass&x=1",
        "model.path='https://host/x#access_token=s3cr3tpass'",
        "model.path='https://acc.blob/x?sv=1&sig=s3cr3tpass'",
        "model.path='https://host/x?auth=s3cr3tpass'",
        "model.path='https://host/x?pwd=s3cr3tpass'",
        "model.path='export MY_API_KEY=s3cr3tpass'",
        "+benchmark.password=s3cr3tpass",
        "model.path='{user: me, password: s3cr3tpass}'",
        f"model.path={TOKEN}",
        f"sweep_dir=results/{KEY}",
        f"tracker.group={KEY}",
        f"method={KEY}",
    ],
)
def test_a_secret_in_a_setting_is_refused_and_not_repeated(
    override: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    for compose in (compose_cell, compose_sweep):
        with pytest.raises(UsageError, match="holds a password or token") as refused:
            compose(["benchmark=bandit", "model=hf", override])
        assert str(refused.value).startswith(override.partition("=")[0])
        assert not [each for each in (KEY, TOKEN, "s3cr3tpass") if each in str(refused.value)]
    assert not list(tmp_path.iterdir())


def test_an_error_of_others_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-token-of-no-known-shape")
    told = "401 for https://me:s3cr3tpass@host/x with a-token-of-no-known-shape"
    found = error(RuntimeError(told), "train")
    assert found["message"] == "401 for https://***@host/x with ***"
    said = capsys.readouterr().err
    assert "401 for" in said and "s3cr3tpass" not in said and "no-known-shape" not in said


PLAIN = [
    "https://host/path?page=2",
    "hf://datasets/owner/name@main/file.parquet",
    "https://host:8080/path@main",
    "file:///data/a:b@c",
    "someone@example.org",
    "results/five_methods",
    "hf_models/llama",
    "token=abc",
    "https://host/path#usage?design=1&config=2&author=me",
    "benchmark.objectives=[sentiment,variety]",
    "model.pad_token=<|endoftext|>",
    "{'pad_token': '<|endoftext|>', 'key': 'a value that is long'}",
    "EOS_TOKEN=<|endoftext|>",
    "0123456789abcdef0123456789abcdef01234567",
    "digest=" + "0123456789abcdef" * 4,
    "/home/me/.cache/huggingface/token",
    "export WANDB_API_KEY=$(cat ~/.wandb_key)",
    "export HF_TOKEN_PATH=/home/me/.token SSH_PRIVATE_KEY=/home/me/.ssh/id_ed25519 PWD=/home/me",
    "How do I reset my password? The password: something that nobody guesses, a secret: unspoken",
    "unexpected token: endofstream1234 in a task-oriented-dialogue-of-many-turns",
    "the bearer of news; authorization: required by everybody",
    "sk-learn-like-interface-of-everything",
]


HIDDEN = {
    "https://user:p@ss@host/x": "https://***@host/x",
    "https://user:pa/ss@host/x": "https://***@host/x",
    "https://user:p@s/s@host:80/x": "https://***@host:80/x",
    "https://t0ken@host:80/x@main": "https://***@host:80/x@main",
    "https://a:b@c,https://d:e@f": "https://***@c,https://***@f",
    "github_pat_11ABCDEFG0_abcdefghijklmnop": "github_pat_***",
    "glpat-abc_defghijklmno-pqrs": "glpat-***",
    "wandb_v1_abcdefghijklmnopqrstuvwxyz": "wandb_v1_***",
    "sk-proj-abcdefghijklmnopqrstuv": "sk-proj-***",
    "sk-abcdefghijklmnopqrstuv": "sk-***",
    "AKIAABCDEFGHIJKLMNOP": "AKIA***",
    "xoxb-0123456789-abcdef": "xoxb-***",
    "https://host/x#access_token=abcdefgh&x=1": "https://host/x#access_token=***&x=1",
    "https://host/x?sv=1&sig=abcd%3D&se=2": "https://host/x?sv=1&sig=***&se=2",
    "https://host/x?X-Amz-Signature=abc": "https://host/x?X-Amz-Signature=***",
    "https://host/x?auth=abcdefgh": "https://host/x?auth=***",
    "https://host/x?pwd=abcdefgh": "https://host/x?pwd=***",
    "Authorization: Bearer abcdef": "Authorization: Bearer ***",
    "{'Authorization': 'Basic dXNlcjpwdw=='}": "{'Authorization': 'Basic ***'}",
    "Bearer abcdefghijklmnopqrstuvwxyz": "Bearer ***",
    "export MY_API_KEY=0123456789abcdef": "export MY_API_KEY=***",
    'export GITLAB_TOKEN="abcdefgh"': 'export GITLAB_TOKEN="***"',
    "{'password': 'hunter2 hunter2'}": "{'password': '***'}",
    r"{\"token\": \"hunter2hunter2\"}": r"{\"token\": \"***\"}",
    "connect(api_key=abcdefghijkl)": "connect(api_key=***)",
    "x-api-key: a1b2c3d4e5": "x-api-key: ***",
    "client_secret = 'abcdefghi'": "client_secret = '***'",
}


@pytest.mark.parametrize("text", HIDDEN)
def test_what_is_secret_by_its_shape_is_hidden(text: str) -> None:
    assert redact(f"at {text} , it says") == f"at {HIDDEN[text]} , it says"
    assert redact(HIDDEN[text]) == HIDDEN[text]


def test_the_doctor_says_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaks(_: Path) -> Iterator[Finding]:
        yield Finding("ok", "a place", f"{TOKEN} at https://user:p@ss@host")

    monkeypatch.setattr(folders, "PROBES", [leaks])
    assert "ok     a place: hf*** at https://***@host" in [str(each) for each in examine(tmp_path)]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("WANDB_API_KEY", "0123456789", True),
        ("MY_PASSWORD", "0123456789", True),
        ("AWS_SECRET_ACCESS_KEY", "0123456789", True),
        ("TOKENIZERS_PARALLELISM", "0123456789", False),
        ("A_TOKEN", "short", False),
    ],
)
def test_variables_that_are_called_secret(
    name: str, value: str, hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    known: Mapping[bool, str] = {True: "it is ***!", False: f"it is {value}!"}
    assert redact(f"it is {value}!") == known[hidden]
    assert redact(redact(f"it is {value}!")) == known[hidden]
