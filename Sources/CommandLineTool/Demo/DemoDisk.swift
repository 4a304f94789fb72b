/// A disk image with a partition table and a file system, made and changed by the usual programs.
struct DemoDisk {
    static let byteCount = 256 << 20
    /// Where the partition begins, in bytes.
    private static let partitionOffset = 1 << 20
    private static let partitionByteCount = 250 << 20

    let path: String

    /// Makes the disk and fills its file system with `tree`.
    func make(from tree: DemoTree) throws(Failure) {
        try DemoProgram.run(["truncate", "--size", "\(DemoDisk.byteCount)", path])
        let table = "label: gpt\nstart=\(DemoDisk.partitionOffset / 512), size=\(DemoDisk.partitionByteCount / 512), type=linux, name=demo\n"
        try DemoProgram.run(["sfdisk", "--quiet", path], input: .bytes(Array(table.utf8)))
        try DemoProgram.run([
            "mkfs.ext4", "-q", "-F", "-L", "demo", "-d", tree.folder, "-E", "offset=\(DemoDisk.partitionOffset)", path,
            "\(DemoDisk.partitionByteCount / 1024)k",
        ])
    }

    /// Removes every tenth program from the file system and adds a folder with one new file.
    ///
    /// - Returns: how many were removed.
    func change(_ tree: DemoTree, newFile: String, commandFile: String) throws(Failure) -> Int {
        let removed = tree.programs.enumerated().filter { $0.offset % 10 == 0 }.map(\.element)
        let commands = removed.map { "rm \"/programs/\($0)\"" } + ["mkdir /added", "write \(newFile) /added/report"]
        try DemoTree.write(Array((commands.joined(separator: "\n") + "\n").utf8), to: commandFile)
        try DemoProgram.run(["debugfs", "-w", "-f", commandFile, "\(path)?offset=\(DemoDisk.partitionOffset)"])
        return removed.count
    }

    /// - Throws: if the file system has any fault. Nothing is written.
    func checkFileSystem() throws(Failure) { try DemoProgram.run(["e2fsck", "-f", "-n", "\(path)?offset=\(DemoDisk.partitionOffset)"]) }

    func copy(to other: String) throws(Failure) { try DemoProgram.run(["cp", "--sparse=always", path, other]) }
}
