import DiskImages
import DiskLayout
import Glibc
import ImageRepository
import RepositoryFormat

/// A disk that is restored to a target of another size, with other sizes of partitions, or with other ids.
struct DiskFitting {
    let target: String
    /// Nil for that of the image.
    let size: UInt64?
    let newIDs: Bool
    let resizes: [ResizeRequest]
    let repository: Repository

    /// Nil if the image goes to the target as it is.
    func fit(_ image: ImageRecord) throws(Failure) -> FittedImage? {
        var options = FittingOptions(byteCount: size ?? image.byteCount, sectorByteCount: image.logicalSectorByteCount)
        var status = stat()
        if unsafe stat(target, &status) == 0, status.st_mode & S_IFMT == S_IFBLK {
            guard size == nil else { throw Failure("\(target): a device has the size it has; --size is for files", status: .usage) }
            let device = try imageCall { () throws(ImageError) in try FileImageReader(path: target) }
            // Without a table nothing tells where a disk ends, and what lies behind the image stays.
            if image.label != .null { (options.byteCount, options.sectorByteCount) = (device.byteCount, device.identity.logicalSectorByteCount) }
        }
        let sector = UInt64(options.sectorByteCount)
        guard size == nil || options.byteCount % sector == 0 else { throw Failure("--size \(options.byteCount) is no multiple of \(sector), the size of a sector", status: .usage) }
        options.hasNewIDs = newIDs
        for resize in resizes { options.resizes.append(try resize.resolved(in: image)) }
        guard options.byteCount != image.byteCount || options.sectorByteCount != image.logicalSectorByteCount || newIDs || !resizes.isEmpty else { return nil }
        var fitted = try DiskFitting.fitted(image, options)
        for partition in fitted.partitions where partition.isResized { try DiskFitting.require(partition, of: image) }
        if fitted.partitions.contains(where: \.hasMoved) {
            try repositoryCall { () throws(RepositoryError) in try fitted.adaptBootSectors(try repository.reader(for: image), sectorByteCount: options.sectorByteCount) }
        }
        return fitted
    }

    /// - Throws: where the partitions do not fit, with what can be done about it.
    private static func fitted(_ image: ImageRecord, _ options: FittingOptions) throws(Failure) -> FittedImage {
        do throws(Failure) { return try repositoryCall { () throws(RepositoryError) in try FittedImage(image, options) } } catch {
            var failure = error
            let isSmaller = options.byteCount < image.byteCount
            let candidate = image.volumes.compactMap(FittedImage.Partition.init).filter(PartitionResizer.knows).max { $0.volume.byteCount < $1.volume.byteCount }
            if isSmaller, options.resizes.isEmpty, let candidate { failure.message += "; “--resize \(candidate.number)” makes partition \(candidate.number) and its file system smaller, to fit" }
            throw failure
        }
    }

    /// Refuses what cannot be.
    private static func require(_ partition: FittedImage.Partition, of image: ImageRecord) throws(Failure) {
        let fileSystem = FileSystemDescription(ofVolume: partition.volume.fileSystem)
        let new = partition.new.upperBound - partition.new.lowerBound
        let resizer = FileSystemResizer(fileSystem)
        guard partition.isSmaller else {
            try resizer?.requireTools()
            return
        }
        guard let resizer else {
            throw Failure("partition \(partition.number) of \(image.name) holds \(fileSystem?.type ?? "something unknown"), and only ext2, ext3, ext4 and NTFS can become smaller")
        }
        if let used = fileSystem?.usedByteCount, used > new {
            throw Failure("partition \(partition.number) of \(image.name) would have \(new) bytes, and its files need \(used)")
        }
        try resizer.requireTools()
    }
}

/// What a person asks for with --resize: `PARTITION` or `PARTITION=SIZE`.
struct ResizeRequest {
    private let partition: String
    private let byteCount: UInt64?

    init(parsing text: String) throws {
        guard let sign = text.lastIndex(of: "=") else {
            (partition, byteCount) = (text, nil)
            return
        }
        partition = String(text[..<sign])
        byteCount = try ArgumentValues.byteCount(String(text[text.index(after: sign)...]))
    }

    func resolved(in image: ImageRecord) throws(Failure) -> PartitionResize {
        guard let number = try VolumeChoice.find(partition, in: image).volume.partition else {
            throw Failure("“\(partition)” is no partition of \(image.name), and only these can be resized", status: .usage)
        }
        return PartitionResize(partition: number, byteCount: byteCount)
    }
}
