"""Real file systems in image files: made, filled, mounted or read with the tools of their makers, and checked by them."""

import errno
import hashlib
import os
import random
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.devices import loop_device, mounted, run, unmount
from support.images import KIB, MIB, make_image

Tree = dict[str, str]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def attached(image: Path, folder: Path, type_name: str, *options: str) -> Iterator[Path]:
    """Mounted through a loop device, or by a program of the type's makers where the kernel has no such type."""
    programs = {"ntfs": "ntfs-3g", "exfat": "mount.exfat-fuse"}
    if type_name not in programs:
        with mounted(image, folder, "-t", type_name, "-o", ",".join(["loop", *options])):
            yield folder
        return
    folder.mkdir(exist_ok=True)
    with loop_device(image) as device:
        run(programs[type_name], *(word for option in options for word in ("-o", option)), device, folder)
        try:
            yield folder
        finally:
            unmount(folder)


def settle(folder: Path) -> None:
    """Waits until what was removed is free: XFS sees to that in the background, later on a machine that has much to do."""
    counts = [os.statvfs(folder).f_bfree]
    while len(counts) < 4 or len(set(counts[-4:])) > 1:
        time.sleep(0.1)
        counts.append(os.statvfs(folder).f_bfree)


def churn(folder: Path, seed: int, count: int = 40, byte_count_max: int = 2 * MIB) -> None:
    """Writes files of all sizes, and removes and rewrites some, so that what is free lies between what is not."""
    generator = random.Random(seed)
    for number in range(count):
        place = folder / f"folder {seed} {number % 5}"
        place.mkdir(exist_ok=True)
        size = generator.choice([0, 1, 700, 5000, 70_000, generator.randrange(byte_count_max)])
        (place / f"file {number}").write_bytes(generator.randbytes(size))
    for path in sorted(path for path in folder.rglob(f"folder {seed}*/*") if path.is_file()):
        choice = generator.randrange(4)
        if choice == 0:
            path.unlink()
        elif choice == 1:
            path.write_bytes(generator.randbytes(generator.randrange(100 * KIB)))


def add_special_files(folder: Path) -> None:
    """What only file systems of Unix have."""
    path = folder / "special"
    path.mkdir(mode=0o2750)
    (path / "file").write_bytes(b"a file with an owner, a mode and attributes")
    os.chown(path / "file", 1234, 5678)
    (path / "file").chmod(0o4711)
    os.setxattr(path / "file", "user.colour", b"red")
    os.utime(path / "file", ns=(1, 1_000_000_001))
    os.link(path / "file", path / "other name")
    (path / "link").symlink_to("nowhere")
    os.mkfifo(path / "pipe")
    os.mknod(path / "device", stat.S_IFBLK | 0o600, os.makedev(7, 99))
    with (path / "holes").open("wb") as file:
        file.truncate(3 * MIB)
        file.seek(MIB)
        file.write(b"data between holes")


def tree_of(folder: Path) -> Tree:
    """Every file below, by its path, with all that is told of it; folders too, without their times."""
    return {str(path.relative_to(folder)): description(path) for path in sorted(folder.rglob("*"))}


def description(path: Path) -> str:
    status = path.lstat()
    words = [stat.filemode(status.st_mode), status.st_uid, status.st_gid, status.st_nlink, status.st_rdev]
    if path.is_symlink():
        words += [os.readlink(path)]
    elif path.is_file():
        words += [status.st_mtime_ns, extended_attributes(path), digest(path.read_bytes())]
    return " ".join(map(str, words))


def extended_attributes(path: Path) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}


@dataclass(frozen=True)
class FileSystem:
    """A type with options, and the tools for it."""

    name: str
    type: str
    make: list[str]
    check: list[str]
    byte_count: int = 192 * MIB
    mount_type: str = ""
    mount_options: tuple[str, ...] = ()
    # Read-only without touching a journal, if the type has one.
    read_options: tuple[str, ...] = ("ro",)
    # The least share of what is free that must be found.
    share: float = 0.98
    # What it allocates is a multiple of what free ranges are rounded to, so that nothing but their ends may be missing.
    is_exact: bool = False

    def create(self, image: Path, seed: int = 1) -> Path:
        """A file system on a disk that was used before: nothing is zero by chance."""
        run(*self.make, make_image(image, self.byte_count, seed))
        return image

    @property
    def file_byte_count_max(self) -> int:
        return min(2 * MIB, self.byte_count // 24)

    def fill(self, image: Path, work: Path, seed: int = 2) -> None:
        with attached(image, work, self.mount_type or self.type, *self.mount_options) as folder:
            churn(folder, seed, byte_count_max=self.file_byte_count_max)
            churn(folder, seed + 1, byte_count_max=self.file_byte_count_max)
            if self.type in ("ext2", "ext3", "ext4", "xfs", "btrfs"):
                add_special_files(folder)

    def copy_in_use(self, image: Path, to: Path, work: Path) -> Path:
        """A copy of a mounted file system, whose journal is pending."""
        with attached(image, work, self.mount_type or self.type, *self.mount_options) as folder:
            for number in range(10, 13):
                churn(folder, number, count=20, byte_count_max=self.file_byte_count_max // 16)
                for path in (folder / f"folder {number} 0").iterdir():
                    path.unlink()
                settle(folder)
                commit(folder)
            return copy(image, to)

    def recover(self, image: Path, work: Path) -> None:
        """Does what a mount does after a crash."""
        with attached(image, work, self.mount_type or self.type, *self.mount_options):
            pass

    def tree(self, image: Path, work: Path) -> Tree:
        with attached(image, work, self.mount_type or self.type, *self.read_options) as folder:
            return tree_of(folder)

    def free_byte_count(self, image: Path, work: Path) -> int:
        with attached(image, work, self.mount_type or self.type, *self.read_options) as folder:
            status = os.statvfs(folder)
            return status.f_bfree * status.f_frsize

    def require_clean(self, image: Path) -> None:
        status, report = self.checked(image)
        assert status == 0, f"{self.check}: {report[-3000:]}"

    def checked(self, image: Path) -> tuple[int, str]:
        """What the checker ends with, and what it says; some do so in no order."""
        done = subprocess.run([*self.check, str(image)], capture_output=True, text=True)
        return done.returncode, "\n".join(sorted((done.stdout + done.stderr).splitlines()))


@dataclass(frozen=True)
class FAT(FileSystem):
    """The kernel need not know these: the mtools do."""

    def fill(self, image: Path, work: Path, seed: int = 2) -> None:
        work.mkdir(exist_ok=True)
        churn(work, seed, byte_count_max=self.file_byte_count_max)
        run("mcopy", "-s", "-Q", "-m", "-i", image, *sorted(work.iterdir()), "::")
        # Removed and written again, so that gaps remain.
        for number in range(0, 40, 3):
            subprocess.run(["mdel", "-i", image, f"::folder {seed} {number % 5}/file {number}"], capture_output=True)
        shutil.rmtree(work)

    def tree(self, image: Path, work: Path) -> Tree:
        work.mkdir(exist_ok=True)
        if run("mdir", "-b", "-i", image, "::").strip():
            run("mcopy", "-s", "-Q", "-n", "-m", "-i", image, "::*", work)
        tree = tree_of(work)
        shutil.rmtree(work)
        return tree

    def free_byte_count(self, image: Path, work: Path) -> int:
        report = run("fsck.vfat", "-n", "-v", image)
        cluster = int(re.search(r"(\d+) bytes per cluster", report)[1])
        used, total = re.search(r"(\d+)/(\d+) clusters", report).groups()
        return (int(total) - int(used)) * cluster


EXT_CHECK = ["e2fsck", "-fn"]


def ext(name: str, *options: str, type_name: str = "ext4", read_options: tuple[str, ...] = ("ro",), byte_count: int = 192 * MIB, share: float = 0.98) -> FileSystem:
    # Small ones would get blocks of 1024 bytes.
    options = options if "-b" in options else ("-b", "4096", *options)
    return FileSystem(name, type_name, [f"mkfs.{type_name}", "-q", "-F", "-E", "nodiscard", *options], EXT_CHECK, byte_count, mount_options=("nodiscard",), read_options=read_options, share=share,
                      is_exact=options[options.index("-b") + 1] == "4096")


EXT = [
    ext("ext2", type_name="ext2"),
    ext("ext2 1k", "-b", "1024", type_name="ext2"),
    ext("ext3", type_name="ext3", read_options=("ro", "noload")),
    *(
        ext(name, *options, read_options=("ro", "noload"))
        for name, *options in [
            ("ext4",),
            ("ext4 1k", "-b", "1024"),
            ("ext4 2k", "-b", "2048"),
            ("ext4 32 bits", "-O", "^64bit"),
            ("ext4 16-bit checksums", "-O", "^metadata_csum,uninit_bg"),
            ("ext4 without checksums", "-O", "^metadata_csum,^uninit_bg"),
            ("ext4 without flexible groups", "-O", "^flex_bg,^resize_inode", "-b", "1024"),
            ("ext4 meta groups", "-O", "meta_bg,^resize_inode", "-b", "1024"),
            ("ext4 two superblocks", "-O", "sparse_super2,^resize_inode", "-b", "1024"),
            ("ext4 clusters", "-O", "bigalloc", "-C", "65536"),
            ("ext4 clusters 1k", "-O", "bigalloc", "-b", "1024", "-C", "16384"),
            ("ext4 clusters meta groups 1k", "-O", "bigalloc,meta_bg,^resize_inode", "-b", "1024", "-C", "16384"),
            ("ext4 checksum seed", "-O", "metadata_csum_seed"),
            ("ext4 small groups", "-g", "8192"),
            ("ext4 orphan file", "-O", "orphan_file"),
        ]
    ),
    ext("ext4 odd end", read_options=("ro", "noload"), byte_count=201 * MIB),
]

VFAT_CHECK = ["fsck.vfat", "-n"]
FATS = [
    FAT("FAT12", "vfat", ["mkfs.vfat", "-F", "12", "-s", "64"], VFAT_CHECK, 96 * MIB, is_exact=True),
    FAT("FAT16", "vfat", ["mkfs.vfat", "-F", "16"], VFAT_CHECK, 128 * MIB),
    FAT("FAT16 512-byte clusters", "vfat", ["mkfs.vfat", "-F", "16", "-s", "2"], VFAT_CHECK, 64 * MIB, share=0.95),
    FAT("FAT32", "vfat", ["mkfs.vfat", "-F", "32"], VFAT_CHECK, 256 * MIB),
    FAT("FAT32 one copy", "vfat", ["mkfs.vfat", "-F", "32", "-f", "1", "-s", "8"], VFAT_CHECK, 512 * MIB, is_exact=True),
    FAT("FAT32 large sectors", "vfat", ["mkfs.vfat", "-F", "32", "-S", "4096", "-s", "1"], VFAT_CHECK, 512 * MIB),
]

EXFATS = [
    FileSystem("exFAT", "exfat", ["mkfs.exfat"], ["fsck.exfat", "-n"], is_exact=True),
    FileSystem("exFAT 4k clusters", "exfat", ["mkfs.exfat", "-c", "4K"], ["fsck.exfat", "-n"], is_exact=True),
    FileSystem("exFAT 128k clusters", "exfat", ["mkfs.exfat", "-c", "128K"], ["fsck.exfat", "-n"], is_exact=True),
]

NTFS = [
    FileSystem("NTFS", "ntfs", ["mkfs.ntfs", "-q", "-F", "-f"], ["ntfsfix", "-n"], is_exact=True),
    FileSystem("NTFS 64k clusters", "ntfs", ["mkfs.ntfs", "-q", "-F", "-f", "-c", "65536"], ["ntfsfix", "-n"]),
    FileSystem("NTFS 512-byte clusters", "ntfs", ["mkfs.ntfs", "-q", "-F", "-f", "-c", "512"], ["ntfsfix", "-n"]),
]


@dataclass(frozen=True)
class XFSFileSystem(FileSystem):
    """What its statistics call free leaves out blocks that each group sets aside."""

    def free_byte_count(self, image: Path, work: Path) -> int:
        blocks = int(re.search(r"total free blocks (\d+)", run("xfs_db", "-r", "-c", "freesp -s", image))[1])
        return blocks * self.superblock(image)["blocksize"]

    def superblock(self, image: Path) -> dict[str, int]:
        return {name: int(value) for name, value in re.findall(r"^(\w+) = (\d+)$", run("xfs_db", "-r", "-c", "sb 0", "-c", "p", image), re.MULTILINE)}

    def free_units(self, image: Path, unit: int = 4096) -> set[int]:
        """What the B-trees call free as they are on the disk, rounded inwards, and the few blocks on the lists that the trees grow into."""
        superblock = self.superblock(image)
        free: set[int] = set()
        for group, first, count in re.findall(r"^ +(\d+) +(\d+) +(\d+) *$", run("xfs_db", "-r", "-c", "freesp -d", image), re.MULTILINE):
            start = (int(group) * superblock["agblocks"] + int(first)) * superblock["blocksize"]
            free.update(range(-(-start // unit), (start + int(count) * superblock["blocksize"]) // unit))
        return free

    def log_range(self, image: Path) -> tuple[int, int]:
        """Where the log begins and ends, in bytes."""
        superblock = self.superblock(image)
        group, block = divmod(superblock["logstart"], 1 << superblock["agblklog"])
        start = (group * superblock["agblocks"] + block) * superblock["blocksize"]
        return start, start + superblock["logblocks"] * superblock["blocksize"]


def xfs(name: str, *options: str, byte_count: int = 320 * MIB) -> FileSystem:
    # As its own tests call it: with logs as small as they could once be.
    make = ["env", "QA_CHECK_FS=1", "TEST_DIR=/", "TEST_DEV=/", "mkfs.xfs", "-q", "-f", "-K", *options]
    return XFSFileSystem(name, "xfs", make, ["xfs_repair", "-n"], byte_count, read_options=("ro", "norecovery", "nouuid"))


XFS = [
    xfs("XFS"),
    xfs("XFS 1k", "-b", "size=1024"),
    xfs("XFS many groups", "-d", "agcount=16", "-l", "size=8m"),
    xfs("XFS large sectors", "-s", "size=4096"),
    xfs("XFS reverse mapping", "-m", "rmapbt=1,reflink=1"),
    xfs("XFS striped log", "-l", "size=16m,su=64k"),
]


@dataclass(frozen=True)
class Swap(FileSystem):
    """No files, but an identity."""

    def fill(self, image: Path, work: Path, seed: int = 2) -> None:
        pass

    def tree(self, image: Path, work: Path) -> Tree:
        return {"": run("blkid", "-p", "-o", "export", image)}

    def free_byte_count(self, image: Path, work: Path) -> int:
        return image.stat().st_size // 4096 * 4096 - 64 * KIB


SWAP = Swap("swap", "swap", ["mkswap", "-p", "4096"], ["swaplabel"], 8 * MIB)
BTRFS = FileSystem("btrfs", "btrfs", ["mkfs.btrfs", "-q", "-f", "-K"], ["btrfs", "check", "--readonly"], 128 * MIB)


def commit(folder: Path) -> None:
    """Everything so far is in the journal, and nowhere else."""
    descriptor = os.open(folder / "committed", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"x" * 5000)
    os.fsync(descriptor)
    os.close(descriptor)


def copy(image: Path, to: Path) -> Path:
    run("cp", "--sparse=always", image, to)
    return to


def free_in_stored_bitmaps(image: Path, block: int) -> set[int]:
    """Blocks that the bitmaps call free as they are on the disk."""
    report = run("dumpe2fs", image)
    cluster = re.search(r"Cluster size: +(\d+)", report)
    # A cluster is named by its first block.
    behind = int(cluster[1]) // block if cluster else 1
    free: set[int] = set()
    for line in re.findall(r"^  Free blocks: (.+)$", report, re.MULTILINE):
        for part in line.split(", "):
            first, _, last = part.strip().partition("-")
            if first:
                free.update(range(int(first), int(last or first) + behind))
    return free
