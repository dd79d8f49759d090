"""The container image, as far as its Dockerfile tells."""

from tests.packaging.dockerfile import PROJECT, read_stages

BUILD, FINAL = read_stages(PROJECT / "docker/Dockerfile")


def test_every_file_that_is_copied_is_there_and_not_ignored() -> None:
    ignore = (PROJECT / "docker/Dockerfile.dockerignore").read_text("utf-8").split()
    assert ignore[0] == "*"
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert set(BUILD.copied()) == allowed
    assert all((PROJECT / name).exists() for name in allowed)


def test_the_image_runs_unprivileged_from_a_second_stage_and_starts_the_pipeline() -> None:
    assert BUILD.name == "build"
    assert FINAL.all("COPY") == ["--from=build /opt/cio-pipeline /opt/cio-pipeline"]
    user = FINAL.all("USER")[-1].partition(":")[0]
    assert int(user) > 0
    assert FINAL.all("ENTRYPOINT") == ['["cio-pipeline"]']
    assert FINAL.all("CMD") == ['["run", "--config", "/etc/cio-pipeline/pipeline.yaml"]']


def test_both_stages_have_one_python_that_the_package_supports() -> None:
    assert BUILD.image == FINAL.image
    assert BUILD.image.startswith("python:3.1")
