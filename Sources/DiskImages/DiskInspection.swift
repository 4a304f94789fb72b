import Bytes
package import DiskLayout
import Glibc

/// Asks another program what is on a disk, because parsing what strangers wrote takes a process without rights (Specs/inspection.md).
package enum DiskInspection {
    /// A program that says nothing for so long hangs, or its disk does. One that is served may ask for things no longer.
    private static let patienceSeconds = 600

    /// - Parameters:
    ///   - program: path of `holdfast-inspect`.
    ///   - image: what it is to look at: a file or device, which it reads itself, or another source, of which it is given what it asks for.
    ///   - skipsPageFiles: whether page files and images of hibernated systems count as unused.
    /// - Throws: `.incomplete` if it cannot be started, fails, takes too long, or answers what cannot be.
    package static func answer(
        of program: String, about image: any ImageReader, sectorByteCount: UInt32, skipsPageFiles: Bool = false
    ) throws(ImageError) -> InspectionAnswer {
        let arguments = [program, "--descriptor", "3", "--sector-size", "\(sectorByteCount)"] + (skipsPageFiles ? ["--skip-page-files"] : [])
        let bytes = if let file = image as? FileImageReader { try readingItself(arguments, file) } else { try served(arguments, image) }
        do throws(DiskLayoutError) { return try InspectionAnswer(decoding: bytes, diskByteCount: image.byteCount) } catch {
            throw .incomplete(source: program, reason: "its answer cannot be believed: \(error)")
        }
    }

    private static func readingItself(_ arguments: [String], _ image: FileImageReader) throws(ImageError) -> [UInt8] {
        let process: PipedProcess
        do throws(SystemError) { process = try image.withDescriptor { file throws(SystemError) in try PipedProcess(arguments: arguments, inheriting: (file, 3)) } } catch {
            throw error.image(arguments[0], "start")
        }
        var output = InspectorOutput(isServed: false)
        while try append(process, &output, until: nil) {}
        return try answer(of: process, output)
    }

    private static func served(_ arguments: [String], _ image: any ImageReader) throws(ImageError) -> [UInt8] {
        let program = arguments[0]
        let disk: ServedDisk
        let process: PipedProcess
        do throws(SystemError) {
            disk = try ServedDisk(image)
            process = try PipedProcess(arguments: arguments + ["--served"], input: disk.replies.output.number, inheriting: (disk.file.number, 3))
        } catch {
            throw error.image(program, "start")
        }
        let deadline = ContinuousClock.now + .seconds(patienceSeconds)
        var output = InspectorOutput(isServed: true)
        while try append(process, &output, until: deadline) {
            while case .request(let offset, let byteCount) = output.next() { disk.serve(offset: offset, byteCount: byteCount) }
        }
        return try answer(of: process, output)
    }

    private static func answer(of process: PipedProcess, _ output: InspectorOutput) throws(ImageError) -> [UInt8] {
        if let reason = try process.process.failure(process.name) { throw .incomplete(source: process.name, reason: "it \(reason)") }
        return output.bytes
    }

    /// Waits for what the program says next. False if it says nothing more.
    private static func append(_ process: PipedProcess, _ output: inout InspectorOutput, until deadline: ContinuousClock.Instant?) throws(ImageError) -> Bool {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let patience = deadline.map { Int(max(0, (ContinuousClock.now.duration(to: $0) / .milliseconds(1)).rounded())) } ?? patienceSeconds * 1000
            var request = pollfd(fd: process.output.number, events: Int16(POLLIN), revents: 0)
            let readyCount = unsafe poll(&request, 1, Int32(patience))
            guard readyCount != 0 else { throw .incomplete(source: process.name, reason: "it took too long") }
            let count = unsafe readyCount < 0 ? -1 : read(process.output.number, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.last.image(process.name, "read") }
            if count == 0 { return false }
            output.append(piece[..<count])
            guard output.bytes.count <= DiskLayoutLimits.answerByteCountMax else { throw .incomplete(source: process.name, reason: "its answer is too long") }
            return true
        }
    }
}
