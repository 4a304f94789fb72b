import Glibc

/// The programs of Linux that the demonstration needs.
enum DemoProgram {
    private static let needed = [("sfdisk", "fdisk"), ("mkfs.ext4", "e2fsprogs"), ("debugfs", "e2fsprogs"), ("e2fsck", "e2fsprogs")]

    /// - Throws: naming the Debian packages of what is missing.
    static func requireAll() throws(Failure) {
        let missing = needed.filter { path(of: $0.0) == nil }
        guard !missing.isEmpty else { return }
        let packages = Set(missing.map(\.1)).sorted().joined(separator: " ")
        throw Failure("the demo needs \(missing.map(\.0).joined(separator: ", ")); install them with: apt install \(packages)")
    }

    /// - Throws: with what the program said, unless it ends with status 0.
    static func run(_ arguments: [String], input: ExternalProgram.Input = .nothing) throws(Failure) {
        guard let path = path(of: arguments[0]) else { throw Failure("\(arguments[0]): there is no such program") }
        let program = ExternalProgram(arguments: [path] + arguments.dropFirst(), input: input)
        guard let ending = try program.run() else { throw Failure("\(path): there is no such program") }
        guard ending.status == 0 else {
            let words = String(decoding: ending.output, as: UTF8.self).split(separator: "\n").suffix(3).joined(separator: "; ")
            throw Failure("\(arguments.joined(separator: " ")): it ended with exit status \(ending.status): \(words)")
        }
    }

    /// Users other than root often have no sbin in their `PATH`.
    private static func path(of name: String) -> String? {
        let folders = (EnvironmentVariable.text("PATH") ?? "").split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        return folders.map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
    }
}
