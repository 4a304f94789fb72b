import CInspectorSandbox
import DiskLayout
import Glibc

/// The program: gives up its rights, looks at the source, answers.
@main
struct Inspector {
    static func main() {
        exit(run())
    }

    private static func run() -> Int32 {
        let arguments: InspectorArguments
        do throws(InspectorArguments.Failure) { arguments = try InspectorArguments(CommandLine.arguments.dropFirst()) } catch {
            switch error { case .usage(let text): complain(text) }
            return 64
        }
        do throws(Sandbox.Failure) { try Sandbox.enter(arguments) } catch {
            complain(error.text)
            return 71
        }
        if arguments.isSelfTest { return selfTest() }
        if arguments.isServed { holdfast_source_is_served() }
        guard let available = sourceByteCount(), available >= arguments.byteCount ?? 0, available <= DiskLayoutLimits.diskByteCountMax else {
            complain("the size of the source is not known, or not what was said")
            return 74
        }
        let source = SourceWindow(byteCount: arguments.byteCount ?? available)
        let answer = DiskInspection(source: source, sectorByteCount: arguments.sectorByteCount, skipsPageFiles: arguments.skipsPageFiles).run(isWhole: arguments.isWhole)
        guard write(answer.encoded, to: STDOUT_FILENO) else {
            complain("the answer cannot be written")
            return 74
        }
        return 0
    }

    private static func selfTest() -> Int32 {
        let attempts = Sandbox.attempts()
        let lines = attempts.map { "\($0.name): \($0.error == 0 ? "POSSIBLE" : "error \($0.error)")\n" }
        guard write(Array(lines.joined().utf8), to: STDOUT_FILENO) else { return 74 }
        return attempts.allSatisfy { $0.error != 0 } ? 0 : 1
    }

    /// Of a file its size, of a device what it says.
    private static func sourceByteCount() -> UInt64? {
        var status = stat()
        guard unsafe fstat(Sandbox.source, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return UInt64(status.st_size)
        case S_IFBLK:
            var byteCount: UInt64 = 0
            return unsafe holdfast_source_device_byte_count(Sandbox.source, &byteCount) == 0 ? byteCount : nil
        default: return nil
        }
    }

    private static func complain(_ text: String) {
        _ = write(Array("holdfast-inspect: \(text)\n".utf8), to: STDERR_FILENO)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        unsafe bytes.withUnsafeBytes { memory in
            var done = 0
            while done < memory.count {
                let result = unsafe Glibc.write(descriptor, memory.baseAddress! + done, memory.count - done)
                if result < 0 && errno == EINTR { continue }
                guard result > 0 else { return false }
                done += result
            }
            return true
        }
    }
}
