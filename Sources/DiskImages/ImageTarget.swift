/// Checks that a restore does not overwrite what must stay.
public enum ImageTarget {
    /// Refuses a target whose writing would change the source: the same file or device under whatever name, a loop device, partition or
    /// mapped device that shows a part of the other, or the device below the file system that a source file lies on.
    ///
    /// A file may be restored to the file system of its source disk. A target that does not exist yet is nobody's source.
    /// - Throws: `.unsuitable` with the reason.
    public static func refuseIfSame(source: String, target: String) throws(ImageError) {
        guard let sourceMedium = try Medium.of(source), let targetMedium = try Medium.of(target) else { return }
        if sourceMedium == targetMedium {
            throw .unsuitable(path: target, reason: "it is the source itself (\(source))")
        }
        if try targetMedium.foundations(throughFileSystems: false).contains(sourceMedium) {
            throw .unsuitable(path: target, reason: "it is a part or a view of the source (\(source))")
        }
        if try sourceMedium.foundations(throughFileSystems: true).contains(targetMedium) {
            throw .unsuitable(path: target, reason: "the source lies on it (\(source))")
        }
    }

    /// Whether writing to one target changes the other. Targets that do not exist yet are the same if they will have one path.
    public static func isSame(_ target: String, _ other: String) throws(ImageError) -> Bool {
        guard let medium = try Medium.of(target), let otherMedium = try Medium.of(other) else { return try AbsolutePath.of(target) == AbsolutePath.of(other) }
        if medium == otherMedium { return true }
        if try medium.foundations(throughFileSystems: false).contains(otherMedium) { return true }
        if try otherMedium.foundations(throughFileSystems: false).contains(medium) { return true }
        return try medium.overlaps(otherMedium)
    }

    /// Who uses a device or file, so that writing to it, or reading it while it changes, would go wrong: “mounted at /srv”, “behind /dev/loop0”.
    ///
    /// Nil if nobody is known to.
    public static func usage(of path: String) throws(ImageError) -> String? {
        guard let status = try FileStatus.of(path) else { return nil }
        switch status.kind {
        case .blockDevice: return try DeviceUsage.reason(BlockDevice(number: status.device))
        case .regular: return try DeviceUsage.reason(file: status)
        case .folder, .other: return nil
        }
    }

    /// Whether `path`, which need not exist, is `folder` or lies below it. Links and bind mounts on the way make no difference.
    ///
    /// - Throws: `.notFound` when the folder of `path` does not exist.
    public static func isInside(_ path: String, _ folder: String) throws(ImageError) -> Bool {
        guard let outer = try FileStatus.of(folder) else { return false }
        var place = try FileStatus.of(path) != nil ? AbsolutePath.resolved(path) : AbsolutePath.of(path)
        while true {
            if let status = try FileStatus.of(place), status.isSameFile(as: outer) { return true }
            if place == "/" { return false }
            place = AbsolutePath.folder(of: place)
        }
    }
}
