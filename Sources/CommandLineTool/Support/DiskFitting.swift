import DiskImages
import Glibc
import ImageRepository
import RepositoryFormat

/// A disk that is restored to a target of another size, or with other ids.
struct DiskFitting {
    let target: String
    /// Nil for that of the image.
    let size: UInt64?
    let newIDs: Bool

    /// Nil if the image goes to the target as it is.
    func fit(_ image: ImageRecord) throws(Failure) -> FittedImage? {
        var (byteCount, sectorByteCount) = (size ?? image.byteCount, image.logicalSectorByteCount)
        var status = stat()
        if unsafe stat(target, &status) == 0, status.st_mode & S_IFMT == S_IFBLK {
            guard size == nil else { throw Failure("\(target): a device has the size it has; --size is for files", status: .usage) }
            let device = try imageCall { () throws(ImageError) in try FileImageReader(path: target) }
            // Without a table nothing tells where a disk ends, and what lies behind the image stays.
            if image.label != .null { byteCount = device.byteCount }
            if image.label != .null { sectorByteCount = device.identity.logicalSectorByteCount }
        }
        guard size == nil || byteCount % UInt64(sectorByteCount) == 0 else { throw Failure("--size \(byteCount) is no multiple of \(sectorByteCount), the size of a sector", status: .usage) }
        guard byteCount != image.byteCount || sectorByteCount != image.logicalSectorByteCount || newIDs else { return nil }
        return try repositoryCall { () throws(RepositoryError) in
            try FittedImage(image, byteCount: byteCount, sectorByteCount: sectorByteCount, hasNewIDs: newIDs)
        }
    }

    /// What a person should know before it is done.
    static func lines(_ fitted: FittedImage) -> [String] {
        (fitted.writesLabel ? ["The partition table is written anew, for a disk of \(CountText.of(fitted.byteCount, "byte"))."] : [])
            + fitted.moves.map { "Partition \($0.partition) moves from byte \($0.from) to \($0.to)." }
    }
}
