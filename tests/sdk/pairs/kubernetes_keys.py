from kfp import dsl, kubernetes


@dsl.component
def step():
    pass


@dsl.component
def choose() -> str:
    return "database"


@dsl.pipeline(name="inner")
def inner(secret: str):
    one = step()
    kubernetes.use_secret_as_env(one, secret, {"token": "TOKEN"})
    kubernetes.use_config_map_as_volume(one, "settings", "/settings")


@dsl.pipeline(name="kubernetes-keys")
def pipeline(secret: str = "token", settings: str = "limits", more: list[str] = ["x", "y"], name: str = "a"):
    last = step()
    kubernetes.use_secret_as_env(last, secret, {"token": "TOKEN"})
    with dsl.ExitHandler(last):
        one = step()
        kubernetes.use_secret_as_env(one, "database", {"password": "PASSWORD", "user": "USER"})
        kubernetes.use_secret_as_env(one, secret, {"token": "TOKEN"}, optional=True)
        kubernetes.use_secret_as_volume(one, "certificates", "/certificates")
        kubernetes.use_secret_as_volume(one, secret, "/token", optional=True)
        kubernetes.use_config_map_as_env(one, "limits", {"rows": "ROWS"})
        kubernetes.use_config_map_as_env(one, settings, {"columns": "COLUMNS"}, optional=True)
        kubernetes.use_config_map_as_volume(one, "files", "/files", optional=True)
        kubernetes.use_config_map_as_volume(one, settings, "/settings")
        kubernetes.use_field_path_as_env(one, "POD", "metadata.name")
        kubernetes.use_field_path_as_env(one, "TEAM", "metadata.labels['team']")
        kubernetes.set_image_pull_secrets(one, ["registry", secret])
        kubernetes.set_image_pull_policy(one, "Always")
        kubernetes.add_pod_label(one, "team", "growth")
        kubernetes.add_pod_label(one, "example.com/tier", "gold")
        kubernetes.add_pod_annotation(one, "example.com/owner", "growth team")
        kubernetes.set_security_context(one, run_as_user=1000, run_as_group=2000, run_as_non_root=True)
        kubernetes.set_timeout(one, 600)

        picked = choose()
        two = step()
        kubernetes.use_secret_as_env(two, picked.output, {"token": "TOKEN"})
        kubernetes.use_secret_as_volume(two, picked.output, "/token")
        kubernetes.use_config_map_as_env(two, picked.output, {"rows": "ROWS"})
        kubernetes.use_config_map_as_volume(two, picked.output, "/settings")
        kubernetes.set_image_pull_secrets(two, [picked.output])
        kubernetes.set_image_pull_policy(two, "IfNotPresent")
        kubernetes.set_security_context(two, run_as_user=0)

        with dsl.ParallelFor(more) as each:
            three = step()
            kubernetes.use_secret_as_env(three, each, {"token": "TOKEN"})
            kubernetes.use_config_map_as_env(three, settings, {"rows": "ROWS"})
            kubernetes.use_secret_as_volume(three, picked.output, "/token")
            with dsl.If(name == "a"):
                four = step()
                kubernetes.set_image_pull_secrets(four, [each, picked.output, "registry"])
                kubernetes.set_security_context(four, run_as_non_root=False)
                kubernetes.set_image_pull_policy(four, "Never")
        inner(secret=picked.output)
