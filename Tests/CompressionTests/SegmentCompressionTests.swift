import CZstd
import TestSupport
import Testing

@testable import Compression

struct SegmentCompressionTests {
    private let compressor = SegmentCompressor()
    private let decompressor = SegmentDecompressor()

    /// The frame for `source`, or nil if it is to be stored as it is.
    private func compress(_ source: [UInt8], level: Int = 2) throws -> [UInt8]? {
        var destination = [UInt8](repeating: 0xee, count: source.count)
        var span = destination.mutableSpan
        guard let byteCount = try compressor.compress(source.span, into: &span, level: level) else { return nil }
        return Array(destination[..<byteCount])
    }

    private func decompress(_ source: [UInt8], decodedByteCount: Int) throws -> [UInt8] {
        var destination = [UInt8](repeating: 0xee, count: max(0, min(decodedByteCount, SegmentLimits.decodedByteCountMax)))
        var span = destination.mutableSpan
        try decompressor.decompress(source.span, into: &span, decodedByteCount: decodedByteCount)
        return destination
    }

    private func text(_ byteCount: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 5)
        return generator.bytes(byteCount).map { UInt8(ascii: "a") + $0 % 16 }
    }

    @Test(arguments: [1, 2, 3, 6, 9, 12])
    func `segments of any size come back at every level`(level: Int) throws {
        for byteCount in [400, 1000, 65_536, 1 << 20, (1 << 20) + 1] {
            let source = text(byteCount)
            let frame = try #require(try compress(source, level: level))
            #expect(frame.count < byteCount * 97 / 100)
            #expect(try decompress(frame, decodedByteCount: byteCount) == source)
        }
    }

    /// What zstd makes of it at level 3 with tables of these sizes; 0 for its own.
    private func plain(_ source: [UInt8], hashLog: Int32, chainLog: Int32) -> [UInt8] {
        let context = unsafe ZSTD_createCCtx()
        defer { unsafe ZSTD_freeCCtx(context) }
        for (parameter, value) in [(ZSTD_c_compressionLevel, 3), (ZSTD_c_hashLog, hashLog), (ZSTD_c_chainLog, chainLog)] {
            #expect(unsafe ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) == 0)
        }
        var frame = [UInt8](repeating: 0, count: source.count)
        let count = unsafe ZSTD_compress2(context, &frame, frame.count, source, source.count)
        #expect(ZSTD_isError(count) == 0)
        return Array(frame[..<count])
    }

    @Test func `level 3 has the tables of 128 KiB for longer segments, and zstd's own for others`() throws {
        var generator = SeededGenerator(seed: 9)
        // Words that return at distances that only a table finds that has room for what lies between.
        let words = (0..<20_000).map { _ in generator.bytes(24) }
        let long = Array((0..<40_000).map { _ in words[Int(generator.next() % 20_000)] }.joined().prefix(900_000))
        #expect(plain(long, hashLog: 16, chainLog: 15) != plain(long, hashLog: 0, chainLog: 0))
        #expect(try compress(long, level: 3) == plain(long, hashLog: 16, chainLog: 15))
        let short = Array(long.prefix(128 << 10))
        #expect(try compress(short, level: 3) == plain(short, hashLog: 0, chainLog: 0))
        // What one segment was given the next does not keep.
        #expect(try compress(long, level: 4) != nil)
        #expect(try compress(short, level: 3) == plain(short, hashLog: 0, chainLog: 0))
    }

    @Test func `the longest segment comes back, with a window that is not larger than 2 MiB`() throws {
        let source = text(8 << 20)
        let frame = try #require(try compress(source, level: 12))
        // RFC 8878, 3.1.1.1: the content is larger than the window, so there is a window descriptor.
        #expect(frame[4] & 0x20 == 0)
        #expect(frame[5] <= (21 - 10) << 3)
        #expect(try decompress(frame, decodedByteCount: 8 << 20) == source)
    }

    @Test func `a frame says its size and has no checksum`() throws {
        let frame = try #require(try compress(text(100_000)))
        #expect(frame[4] & 0x04 == 0)
        let contentSize = unsafe ZSTD_getFrameContentSize(frame, frame.count)
        #expect(contentSize == 100_000)
    }

    @Test func `incompressible segments and empty ones are left as they are`() throws {
        var generator = SeededGenerator(seed: 6)
        for byteCount in [0, 1, 10, 4096, 1 << 20] {
            #expect(try compress(generator.bytes(byteCount)) == nil)
        }
    }

    @Test func `behind an incompressible segment a sample decides, but for each sixteenth segment`() throws {
        var generator = SeededGenerator(seed: 9)
        // No piece of it shrinks, all of it does.
        let half = generator.bytes(512 << 10)
        let repeated = half + half
        #expect(try compress(repeated) != nil)
        #expect(try compress(generator.bytes(1 << 20)) == nil)
        let isCompressed = try (0..<20).map { _ in try compress(repeated) != nil }
        #expect(isCompressed.firstIndex(of: true) == 15)
        #expect(isCompressed[15...].allSatisfy { $0 })
    }

    @Test func `what shrinks in places is compressed behind an incompressible segment as anywhere`() throws {
        var generator = SeededGenerator(seed: 10)
        let pieces = (0..<16).flatMap { _ in generator.bytes(48 << 10) + text(16 << 10) }
        for source in [text(1 << 20), pieces, text(255 << 10)] {
            let expected = try #require(try compress(source))
            #expect(try compress(generator.bytes(1 << 20)) == nil)
            #expect(try compress(source) == expected)
            #expect(try decompress(expected, decodedByteCount: source.count) == source)
        }
    }

    @Test func `a gain of less than 3 percent is not taken, one of more is`() throws {
        var generator = SeededGenerator(seed: 7)
        let noise = generator.bytes(100_000)
        #expect(try compress(noise + [UInt8](repeating: 0, count: 2_900)) == nil)
        #expect(try compress(noise + [UInt8](repeating: 0, count: 4_000)) != nil)
    }

    @Test func `one compressor serves segments of all kinds one after another`() throws {
        var generator = SeededGenerator(seed: 8)
        for seed in 0..<60 {
            let source = text(Int.random(in: 400...200_000, using: &generator))
            if seed % 3 == 0 { #expect(try compress(generator.bytes(source.count)) == nil) }
            let frame = try #require(try compress(source, level: seed % 12 + 1))
            #expect(try decompress(frame, decodedByteCount: source.count) == source)
        }
    }

    @Test func `zero padding after the frame is tolerated, other bytes are not`() throws {
        let source = text(50_000)
        let frame = try #require(try compress(source))
        let padded = frame + [UInt8](repeating: 0, count: 16_384)
        #expect(try decompress(padded, decodedByteCount: source.count) == source)
        for position in [frame.count, padded.count - 1] {
            var other = padded
            other[position] = 1
            #expect(throws: CompressionError.damaged(reason: "its padding is not zero")) {
                try decompress(other, decodedByteCount: source.count)
            }
        }
    }

    @Test func `the frame's own byte count is returned`() throws {
        let source = text(50_000)
        let frame = try #require(try compress(source))
        var destination = [UInt8](repeating: 0, count: source.count)
        var span = destination.mutableSpan
        let byteCount = try decompressor.decompress(
            (frame + [0, 0, 0]).span, into: &span, decodedByteCount: source.count)
        #expect(byteCount == frame.count)
    }

    @Test func `a frame that ends early is refused wherever it ends`() throws {
        let source = text(2_000)
        let frame = try #require(try compress(source))
        for byteCount in frame.indices {
            #expect(throws: CompressionError.truncated, "\(byteCount) bytes") {
                try decompress(Array(frame[..<byteCount]), decodedByteCount: source.count)
            }
        }
    }

    @Test func `a flipped bit never gives the same bytes under another frame size nor writes beyond the end`() throws {
        let source = text(1_500)
        let frame = try #require(try compress(source))
        var refusedCount = 0
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            var destination = [UInt8](repeating: 0xee, count: source.count + 64)
            var span = destination.mutableSpan
            do throws(CompressionError) {
                try decompressor.decompress(damaged.span, into: &span, decodedByteCount: source.count)
            } catch {
                refusedCount += 1
            }
            #expect(destination[source.count...].allSatisfy { $0 == 0xee }, "bit \(bit)")
        }
        // Flips among literals decode to other bytes: only the seal notices those. Headers and tables are noticed here.
        #expect(refusedCount > 40)
    }

    @Test(arguments: [0, 4, 5])
    func `a flipped bit in the frame's header is refused`(position: Int) throws {
        let source = text(1_500)
        var frame = try #require(try compress(source))
        frame[position] ^= 0x40
        #expect(throws: CompressionError.self) { try decompress(frame, decodedByteCount: source.count) }
    }

    @Test func `a declared size that is not the frame's is refused`() throws {
        let frame = try #require(try compress(text(10_000)))
        for declared in [0, 1, 9_999, 10_001, 8 << 20] {
            #expect(throws: CompressionError.sizeMismatch(declared: declared, found: 10_000)) {
                try decompress(frame, decodedByteCount: declared)
            }
        }
    }

    @Test func `a declared size beyond the limit is refused before anything is read`() throws {
        for declared in [-1, (8 << 20) + 1, Int.max] {
            #expect(throws: CompressionError.tooLarge(byteCount: declared, limit: 8 << 20)) {
                try decompress([], decodedByteCount: declared)
            }
        }
    }

    @Test func `a frame that holds more than it says does not overflow its destination`() throws {
        // The content size is four bytes after the descriptors; the blocks behind it decode to 64 MiB of zeros.
        var bomb = try directFrame([UInt8](repeating: 0, count: 64 << 20), windowLog: 20)
        #expect(bomb[4] & 0xe0 == 0x80)
        #expect(throws: CompressionError.sizeMismatch(declared: 1 << 20, found: 64 << 20)) {
            try decompress(bomb, decodedByteCount: 1 << 20)
        }
        bomb.replaceSubrange(6..<10, with: [0, 0, 0x10, 0])
        #expect(throws: CompressionError.self) { try decompress(bomb, decodedByteCount: 1 << 20) }
    }

    @Test func `a window beyond 8 MiB is refused`() throws {
        let content = [UInt8](repeating: 0, count: 20 << 20)
        #expect(throws: CompressionError.windowTooLarge) {
            try decompress(try directFrame(content, windowLog: 24), decodedByteCount: 1 << 20)
        }
        #expect(throws: CompressionError.sizeMismatch(declared: 1 << 20, found: 20 << 20)) {
            try decompress(try directFrame(content, windowLog: 23), decodedByteCount: 1 << 20)
        }
    }

    @Test func `a frame without a content size is refused`() throws {
        let frame = try directFrame(text(10_000), windowLog: 20, statesSize: false)
        #expect(throws: CompressionError.sizeMismatch(declared: 10_000, found: nil)) {
            try decompress(frame, decodedByteCount: 10_000)
        }
    }

    @Test func `a skippable frame and other bytes are not a segment`() {
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]
        for source in [skippable, [UInt8](repeating: 0, count: 100), text(100)] {
            #expect(throws: CompressionError.damaged(reason: "it does not begin with a zstd frame")) {
                try decompress(source, decodedByteCount: 10)
            }
        }
    }

    /// A frame as another writer might make it.
    private func directFrame(_ source: [UInt8], windowLog: Int32, statesSize: Bool = true) throws -> [UInt8] {
        guard let context = unsafe ZSTD_createCCtx() else { throw CompressionError.failed(reason: "no memory") }
        defer { unsafe ZSTD_freeCCtx(context) }
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, statesSize ? 1 : 0)
        var destination = [UInt8](repeating: 0, count: ZSTD_compressBound(source.count))
        let byteCount = unsafe ZSTD_compress2(context, &destination, destination.count, source, source.count)
        try #require(ZSTD_isError(byteCount) == 0)
        return Array(destination[..<byteCount])
    }
}
