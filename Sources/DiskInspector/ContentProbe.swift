import CBlkid
import DiskLayout

/// What libblkid recognises by superblocks.
enum ContentProbe {
    enum Outcome {
        case nothing
        case found(FileSystemDescription)
        /// Superblocks of several kinds, such as an old one that was not wiped.
        case ambiguous
        case failed
    }

    static func describe(_ window: SourceWindow, sectorByteCount: UInt32) -> Outcome {
        guard let probe = unsafe openProbe(window, sectorByteCount) else { return .failed }
        defer { unsafe blkid_free_probe(probe) }
        unsafe blkid_probe_enable_superblocks(probe, 1)
        let wanted = BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_VERSION | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID
        unsafe blkid_probe_set_superblocks_flags(probe, wanted)
        switch unsafe blkid_do_safeprobe(probe) {
        case 0: break
        case 1: return .nothing
        case -2: return .ambiguous
        default: return .failed
        }
        guard let type = unsafe value("TYPE", of: probe) else { return .nothing }
        let usage = unsafe value("USAGE", of: probe).flatMap(FileSystemDescription.Usage.init(rawValue:)) ?? .other
        return .found(
            FileSystemDescription(
                usage: usage, type: type, version: unsafe value("VERSION", of: probe), label: unsafe value("LABEL", of: probe), uuid: unsafe value("UUID", of: probe),
                blockByteCount: unsafe value("BLOCK_SIZE", of: probe).flatMap { UInt64($0) }.flatMap { $0 <= 1 << 40 ? $0 : nil }))
    }

    /// What kind of partition table there is, also one that is not read here.
    static func labelKind(_ window: SourceWindow, sectorByteCount: UInt32) -> String? {
        guard let probe = unsafe openProbe(window, sectorByteCount) else { return nil }
        defer { unsafe blkid_free_probe(probe) }
        unsafe blkid_probe_enable_superblocks(probe, 0)
        unsafe blkid_probe_enable_partitions(probe, 1)
        guard unsafe blkid_do_safeprobe(probe) == 0 else { return nil }
        return unsafe value("PTTYPE", of: probe)
    }

    private static func openProbe(_ window: SourceWindow, _ sectorByteCount: UInt32) -> blkid_probe? {
        guard window.byteCount > 0, let probe = unsafe blkid_new_probe() else { return nil }
        let place = window.place
        guard unsafe blkid_probe_set_device(probe, place.descriptor, blkid_loff_t(place.offset), blkid_loff_t(place.byteCount)) == 0 else {
            unsafe blkid_free_probe(probe)
            return nil
        }
        unsafe blkid_probe_set_sectorsize(probe, sectorByteCount)
        return unsafe probe
    }

    private static func value(_ name: String, of probe: blkid_probe) -> String? {
        var data: UnsafePointer<CChar>?
        var byteCount = 0
        guard unsafe blkid_probe_lookup_value(probe, name, &data, &byteCount) == 0, let data = unsafe data else { return nil }
        // Labels are bytes of the disk; the length counts a terminating zero.
        let bytes = unsafe UnsafeRawBufferPointer(start: data, count: byteCount).prefix { $0 != 0 }
        let text = unsafe ShownText.clean(String(decoding: bytes, as: UTF8.self))
        return text.isEmpty ? nil : text
    }
}
