import DiskImages
import Glibc
import TestSupport

/// What a simulated disk holds: fragments that other disks hold too, and nothing between them.
///
/// Each fragment stands between zero blocks and is an image's run of its own, so equal fragments become equal chunks wherever they are.
struct DiskContent: Equatable, Sendable {
    private static let bandByteCount: UInt64 = 16 << 20
    private static let slotByteCount: UInt64 = 48 << 10

    /// Incompressible; 64 fragments of 12 to 40 KiB.
    static let library: [[UInt8]] = (0..<64).map { number in
        var generator = SeededGenerator(seed: 0xD15C + UInt64(number))
        return generator.bytes((12 + number % 8 * 4) << 10)
    }

    /// Numbers of fragments, nil for none.
    private(set) var slots: [Int?]
    /// Whether the second half lies in a second band.
    let isWide: Bool

    init(using generator: inout SeededGenerator, isWide: Bool) {
        self.isWide = isWide
        slots = (0..<Int(2 + generator.next() % 8)).map { _ in DiskContent.fragment(using: &generator) }
    }

    /// What its owner does between two backups.
    mutating func change(using generator: inout SeededGenerator) {
        for _ in 0..<generator.next() % 4 { slots[Int(generator.next() % UInt64(slots.count))] = DiskContent.fragment(using: &generator) }
        if generator.next() % 4 == 0 { slots.append(DiskContent.fragment(using: &generator)) }
        if generator.next() % 6 == 0, slots.count > 2 { slots.removeFirst() }
    }

    private static func fragment(using generator: inout SeededGenerator) -> Int? {
        generator.next() % 8 == 0 ? nil : Int(generator.next() % UInt64(library.count))
    }

    /// Where the fragments are, by rising offset.
    var extents: [(offset: UInt64, bytes: [UInt8])] {
        slots.enumerated().compactMap { place, fragment in fragment.map { (offset(place), DiskContent.library[$0]) } }
    }

    var byteCount: UInt64 { offset(slots.count - 1) + DiskContent.slotByteCount }

    private func offset(_ place: Int) -> UInt64 {
        let isInSecondBand = isWide && place >= slots.count / 2
        return UInt64(isInSecondBand ? place - slots.count / 2 : place) * DiskContent.slotByteCount + (isInSecondBand ? DiskContent.bandByteCount : 0)
    }
}

/// Reads a disk as it was at one moment.
struct DiskContentReader: ImageReader {
    private let extents: [(offset: UInt64, bytes: [UInt8])]
    let byteCount: UInt64

    init(_ content: DiskContent) {
        extents = content.extents
        byteCount = content.byteCount
    }

    func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        for extent in extents {
            let end = extent.offset + UInt64(extent.bytes.count)
            if offset < extent.offset { return ImageExtent(kind: .zero, end: extent.offset) }
            if offset < end { return ImageExtent(kind: .data, end: end) }
        }
        return ImageExtent(kind: .zero, end: byteCount)
    }

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let wanted = offset..<offset + UInt64(bytes.count)
        _ = unsafe bytes.withUnsafeMutableBytes { unsafe $0.initializeMemory(as: UInt8.self, repeating: 0) }
        for extent in extents {
            let part = (extent.offset..<extent.offset + UInt64(extent.bytes.count)).clamped(to: wanted)
            guard !part.isEmpty else { continue }
            let (target, source) = (Int(part.lowerBound - offset), Int(part.lowerBound - extent.offset))
            _ = unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe extent.bytes.withUnsafeBytes { unsafe memcpy(bytes.baseAddress! + target, $0.baseAddress! + source, part.count) }
            }
        }
        return bytes.count
    }
}

/// Takes what is restored, and tells whether it is the disk that was backed up.
final class DiskContentWriter: ImageWriter, @unchecked Sendable {
    let isOrdered = false
    let isBlank = true
    private let content: DiskContent
    private var extents: [(offset: UInt64, bytes: [UInt8])]
    private var byteCount: UInt64?
    private var hasStrayBytes = false

    init(expecting content: DiskContent) {
        self.content = content
        extents = content.extents.map { ($0.offset, [UInt8](repeating: 0, count: $0.bytes.count)) }
    }

    /// Nil if everything that was written is as it should be, and nothing is missing.
    var difference: String? {
        if byteCount != content.byteCount { return "it has \(byteCount ?? 0) bytes instead of \(content.byteCount)" }
        if hasStrayBytes { return "there is something where the disk had nothing" }
        return zip(extents, content.extents).first { $0.bytes != $1.bytes }.map { "bytes from \($0.0.offset) on differ" }
    }

    func prepare(byteCount: UInt64) throws(ImageError) { self.byteCount = byteCount }

    func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) {
        let written = offset..<offset + UInt64(bytes.count)
        var position = offset
        func gap(to end: UInt64, _ bytes: Span<UInt8>) {
            while position < end {
                if bytes[Int(position - offset)] != 0 { hasStrayBytes = true }
                position += 1
            }
        }
        for number in extents.indices {
            let start = extents[number].offset
            let part = (start..<start + UInt64(extents[number].bytes.count)).clamped(to: written)
            guard !part.isEmpty else { continue }
            gap(to: part.lowerBound, bytes)
            let (target, source) = (Int(part.lowerBound - start), Int(part.lowerBound - offset))
            _ = unsafe bytes.withUnsafeBytes { bytes in
                unsafe extents[number].bytes.withUnsafeMutableBytes { unsafe memcpy($0.baseAddress! + target, bytes.baseAddress! + source, part.count) }
            }
            position = part.upperBound
        }
        gap(to: written.upperBound, bytes)
    }

    func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError) {}

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        preconditionFailure("nothing is verified by reading it back here")
    }

    func finish() throws(ImageError) {}
}
