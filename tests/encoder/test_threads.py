import os

import pytest

from services.encoder.threads import cgroup_quota, usable_cpus


@pytest.fixture
def root(tmp_path):
    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return write


def test_no_cgroup_means_no_quota(tmp_path):
    assert cgroup_quota(tmp_path) is None
    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))


def test_version_2_inside_a_container(root):
    assert cgroup_quota(root({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"})) == 1.5


def test_version_2_without_a_quota(root):
    assert cgroup_quota(root({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"})) is None


def test_version_2_the_smallest_quota_on_the_way_up_holds(root):
    files = {
        "proc/self/cgroup": "0::/kubepods/pod1/c1\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
        "sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n",
        "sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/kubepods/pod1/c1/cpu.max": "400000 100000\n",
    }
    assert cgroup_quota(root(files)) == 2.0


def test_version_1_with_the_hosts_path_that_the_container_does_not_see(root):
    files = {
        "proc/self/cgroup": "3:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    assert cgroup_quota(root(files)) == 3.0


def test_version_1_without_a_quota(root):
    files = {
        "proc/self/cgroup": "1:cpu:/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert cgroup_quota(root(files)) is None


def test_less_than_one_cpu_is_still_one_thread(root):
    assert usable_cpus(root({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"})) == 1


def test_part_of_a_cpu_gets_no_thread(root):
    assert usable_cpus(root({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "190000 100000\n"})) == 1
