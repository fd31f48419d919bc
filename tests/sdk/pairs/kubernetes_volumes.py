from kfp import dsl, kubernetes


@dsl.component
def step():
    pass


@dsl.component
def modes() -> list:
    return ["ReadWriteOnce"]


@dsl.pipeline(name="with-volume")
def with_volume(claim: str):
    one = step()
    kubernetes.mount_pvc(one, claim, "/data", sub_path="inner")


@dsl.pipeline(name="kubernetes-volumes")
def pipeline(claim: str = "corpus", size: str = "1Gi", notes: dict = {}, parts: list[str] = ["a"]):
    made = kubernetes.CreatePVC(
        pvc_name_suffix="-scratch", access_modes=["ReadWriteOnce"], size="5Gi", storage_class_name="standard"
    )
    named = kubernetes.CreatePVC(
        pvc_name='copy', access_modes=['ReadWriteMany', 'ReadOnlyMany'], size='10Gi', volume_name='pv-1',
        annotations={'example.com/owner': 'growth'},
        data_source={'apiGroup': 'snapshot.storage.k8s.io', 'kind': 'VolumeSnapshot', 'name': 'snapshot-1'},
    ).set_caching_options(False)  # fmt: skip
    allowed = modes()
    dynamic = kubernetes.CreatePVC(
        pvc_name=claim, access_modes=allowed.output, size=size, annotations=notes, storage_class_name=""
    ).set_caching_options(False)
    plain = kubernetes.CreatePVC(access_modes=["ReadWriteOncePod"], size="1").set_retry(2)

    one = step()
    kubernetes.mount_pvc(one, made.outputs["name"], "/data")
    kubernetes.mount_pvc(one, named.outputs["name"], "/copy", sub_path="raw/2026")
    kubernetes.mount_pvc(one, claim, "/claim")
    kubernetes.mount_pvc(one, "corpus", "/corpus")
    kubernetes.add_ephemeral_volume(
        one, 'fast', '/fast', ['ReadWriteOnce'], '50Gi', storage_class_name='nvme',
        labels={'team': 'growth'}, annotations={'example.com/owner': 'growth'},
    )  # fmt: skip
    kubernetes.add_ephemeral_volume(one, "any", "/any", ["ReadWriteOnce", "ReadOnlyMany"], "1Ti")
    kubernetes.add_ephemeral_volume(one, "none", "/none", ["ReadWriteOnce"], "1Gi", storage_class_name="")
    kubernetes.empty_dir_mount(one, "shm", "/dev/shm", medium="Memory", size_limit="1Gi")
    kubernetes.empty_dir_mount(one, "tmp", "/tmp")
    kubernetes.empty_dir_mount(one, "pages", "/pages", medium="HugePages")

    with dsl.ParallelFor(parts) as part:
        two = step()
        kubernetes.mount_pvc(two, made.outputs["name"], "/data")
        kubernetes.mount_pvc(two, claim, "/claim")
        kubernetes.mount_pvc(two, part, "/part")
    with_volume(claim=dynamic.outputs["name"])

    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(one)
    kubernetes.DeletePVC(pvc_name=claim).after(one).set_caching_options(False)
    kubernetes.DeletePVC(pvc_name="copy").after(one, plain).set_caching_options(False)
