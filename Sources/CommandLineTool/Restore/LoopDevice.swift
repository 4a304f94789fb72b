import Glibc

/// A part of a file or device that looks like a device of its own, for tools that know nothing of parts.
struct LoopDevice {
    let path: String

    /// Whether this process may make some.
    static var isPossible: Bool { unsafe access("/dev/loop-control", R_OK | W_OK) == 0 }

    /// Runs `body` with a loop device that shows `range` of the target.
    static func with(_ target: String, _ range: Range<UInt64>, _ body: (LoopDevice) throws(Failure) -> Void) throws(Failure) {
        let arguments = ["losetup", "--find", "--show", "--offset", "\(range.lowerBound)", "--sizelimit", "\(range.upperBound - range.lowerBound)", target]
        guard let ending = try ExternalProgram(arguments: arguments, output: .captured(byteCountMax: 4096)).run() else { throw Failure("losetup is not there; install util-linux") }
        let path = String(decoding: ending.output, as: UTF8.self).filter { !$0.isNewline }
        guard ending.status == 0, path.hasPrefix("/dev/") else { throw Failure("losetup could not show a part of \(target) as a device (exit status \(ending.status))") }
        do throws(Failure) { try body(LoopDevice(path: path)) } catch {
            try detach(path)
            throw error
        }
        try detach(path)
    }

    private static func detach(_ path: String) throws(Failure) {
        let ending = try ExternalProgram(arguments: ["losetup", "--detach", path]).run()
        guard ending?.status == 0 else { throw Failure("\(path) could not be detached; “losetup --detach \(path)” does it") }
    }
}
