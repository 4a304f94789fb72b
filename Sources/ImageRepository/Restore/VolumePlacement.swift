public import RepositoryFormat

/// Where a part of a volume comes to stand on a target.
struct VolumePlacement: Sendable {
    var volume: VolumeRecord
    /// On the target.
    var offset: UInt64
    /// Within the volume.
    var volumeOffset: UInt64
    /// May be less than the volume has.
    var byteCount: UInt64
}

extension ImageRecord {
    /// Where everything stood on the source.
    var placements: [VolumePlacement] {
        volumes.flatMap { volume in
            var volumeOffset: UInt64 = 0
            return volume.placements.map { place in
                defer { volumeOffset += place.byteCount }
                return VolumePlacement(volume: volume, offset: place.offset, volumeOffset: volumeOffset, byteCount: place.byteCount)
            }
        }
    }

    /// One of its volumes, as an image of its own.
    public func only(_ volume: VolumeRecord) -> ImageRecord {
        var part = self
        part.byteCount = volume.byteCount
        part.label = .null
        part.volumes = [volume]
        part.volumes[0].placements = [.init(offset: 0, byteCount: volume.byteCount)]
        return part
    }
}
