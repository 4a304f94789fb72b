import DiskImages
import DiskLayout
import Glibc
import ImageRepository

/// The program beside this one that knows file systems.
enum InspectorProgram {
    static let name = "holdfast-inspect"

    /// Nil where that program is not there, or has no answer that can be believed: then all blocks count as used.
    ///
    /// - Parameter told: what frozen file systems say themselves, by where they begin; for an XFS of which the program found nothing.
    static func layout(of reader: any ImageReader, _ identity: SourceIdentity, skipsPageFiles: Bool, told: [UInt64: FreeMap], warn: (String) -> Void) -> SourceLayout? {
        let path = identity.path
        guard let program else {
            warn("\(path): all blocks are backed up, also those not in use: \(name) is not beside this program")
            return nil
        }
        do throws(ImageError) {
            let answer = try DiskInspection.answer(of: program, about: reader, sectorByteCount: identity.logicalSectorByteCount, skipsPageFiles: skipsPageFiles)
            var layout = SourceLayout(answer)
            let filled = layout.fill(told)
            for warning in answer.warnings where !(warning.volume.map(filled.contains) ?? false) {
                warn("\(path): \(place(warning.volume, answer.layout))\(Printable.text(warning.text))")
            }
            return layout
        } catch {
            warn("\(path): all blocks are backed up, also those not in use: \(error)")
            return nil
        }
    }

    private static var program: String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count)
        guard count > 0 else { return nil }
        let own = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let path = own[...slash] + name
        return unsafe access(String(path), X_OK) == 0 ? String(path) : nil
    }

    private static func place(_ volume: Int?, _ layout: DiskLayout) -> String {
        guard let volume, layout.volumes.indices.contains(volume) else { return "" }
        return switch layout.volumes[volume].kind {
        case .whole: ""
        case .partition(let number): "partition \(number): "
        case .gap: "at byte \(layout.volumes[volume].range.lowerBound): "
        }
    }
}
