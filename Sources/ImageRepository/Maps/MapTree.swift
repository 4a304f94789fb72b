import RepositoryFormat

/// A map tree of a snapshot, and whose it is.
struct MapTree {
    /// Name of the image; of an attachment, its kind and name.
    let image: String
    let volume: Int
    /// Nil for an attachment.
    let record: VolumeRecord?
    let root: MapSlot
    let geometry: MapGeometry

    var whole: MapSubtree { MapSubtree(slot: root, level: geometry.depth, firstBand: 0, geometry: geometry) }

    static func all(of manifest: Manifest) -> [MapTree] {
        let volumes = manifest.images.flatMap { image in
            image.volumes.enumerated().map { MapTree(image: image.name, volume: $0, record: $1, root: $1.root, geometry: $1.geometry) }
        }
        return volumes + manifest.attachments.map {
            MapTree(image: "\($0.kind) \($0.name)", volume: 0, record: nil, root: $0.root, geometry: MapGeometry(byteCount: $0.byteCount))
        }
    }
}
