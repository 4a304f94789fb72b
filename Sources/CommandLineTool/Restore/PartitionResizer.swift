import DiskImages
import DiskLayout
import Glibc
import ImageRepository
import RepositoryFormat

/// Brings the file systems of partitions to the sizes that these have on a target.
struct PartitionResizer {
    let image: ImageRecord
    let repository: Repository
    let console: Console
    let threadCount: Int?

    /// Whether the partition's file system can be resized.
    static func knows(_ partition: FittedImage.Partition) -> Bool { fileSystemResizer(partition) != nil }

    /// Restores the partition to a scratch file in `parent`, resizes it there, and runs `body` with it, and with whether all of it could be read when the snapshot was made.
    func withResized<Result>(
        _ partition: FittedImage.Partition, in parent: String, _ body: (any ImageReader, Bool) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let used = FileSystemDescription(ofVolume: partition.volume.fileSystem)?.usedByteCount
        try ScratchFolder.requireRoom(in: parent, byteCount: used ?? partition.volume.byteCount)
        return try ScratchFolder.with(in: parent) { (scratch) throws(Failure) in
            console.note("Partition \(partition.number) is resized in \(scratch.path).")
            let isWhole = try restore(partition, to: scratch.file)
            let byteCount = partition.new.upperBound - partition.new.lowerBound
            if !partition.isSmaller { try setSize(of: scratch.file, byteCount) }
            try withTools(for: partition) { (resizer) throws(Failure) in try resizer.resize(scratch.file, to: byteCount) }
            try setSize(of: scratch.file, byteCount)
            return try body(try imageCall { () throws(ImageError) in try FileImageReader(path: scratch.file) }, isWhole)
        }
    }

    /// Makes the file system as large as its partition, on a target that is complete. One that keeps its size is left as it is.
    func grow(_ partition: FittedImage.Partition, on target: String) throws(Failure) {
        do throws(Failure) {
            try withTools(for: partition) { (resizer) throws(Failure) in
                try LoopDevice.with(target, partition.new) { (device) throws(Failure) in
                    try resizer.resize(device.path, to: partition.new.upperBound - partition.new.lowerBound)
                }
            }
        } catch {
            var failure = error
            failure.message = "\(target) is restored, but the file system of partition \(partition.number) did not grow to the size of its partition: \(failure.message)"
            throw failure
        }
    }

    /// - Returns: false if some of it could not be read when the snapshot was made; that was told.
    private func restore(_ partition: FittedImage.Partition, to file: String) throws(Failure) -> Bool {
        let writer = try imageCall { () throws(ImageError) in try FileImageWriter(path: file, allowExisting: false) }
        var options = RestoreOptions()
        options.threadCount = threadCount
        let volume = image.only(partition.volume)
        let report = try Operation(console: console, kind: .restore).run { (progress, cancellation) throws(RepositoryError) in
            try repository.restore(volume, to: writer, targetName: file, options: options, progress: progress, cancellation: cancellation)
        }
        let unreadable = UnreadableText(image: volume, parts: report.unreadableParts, path: nil)
        for line in unreadable.lines("of partition \(partition.number) could not be read when the snapshot was made; the target holds zeros there") { console.warn(line) }
        return report.unreadable.isEmpty
    }

    private func setSize(of file: String, _ byteCount: UInt64) throws(Failure) {
        guard unsafe truncate(file, off_t(byteCount)) == 0 else { throw Failure("\(file): setting its size failed (\(SystemCall.reason))") }
    }

    private static func fileSystemResizer(_ partition: FittedImage.Partition) -> FileSystemResizer? {
        FileSystemResizer(FileSystemDescription(ofVolume: partition.volume.fileSystem))
    }

    /// A tool that is interrupted ends by itself; what it leaves is told or thrown away.
    private func withTools(for partition: FittedImage.Partition, _ body: (FileSystemResizer) throws(Failure) -> Void) throws(Failure) {
        guard let resizer = PartitionResizer.fileSystemResizer(partition) else { return }
        let cancellation = Cancellation()
        let response = Interruption.Response(message: "stopping when the file system's tool has ended") { cancellation.cancel() }
        do throws(Failure) { try Interruption.responding(with: response) { () throws(Failure) in try body(resizer) } } catch {
            throw cancellation.isCancelled ? .interrupted : error
        }
        if cancellation.isCancelled { throw .interrupted }
    }
}
