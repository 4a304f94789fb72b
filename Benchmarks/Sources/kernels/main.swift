// Prints the speed of the product's kernels beside plain C on the same data, in one thread.
import Baselines
import Chunking
import Compression
import Crypto

baseline_prepare()
let sample = SampleData.load()
let chunkByteCount = ChunkerParameters.standard.averageByteCount
let keyBytes = [UInt8](0..<32)
let key = SymmetricKey(data: keyBytes)
var room = [UInt8](repeating: 1, count: sample.count + 64)

func measure(_ work: () throws -> UInt64) rethrows -> Double { try megabytesPerSecond(byteCount: sample.count, work) }

func pieces(of byteCount: Int) -> [Range<Int>] {
    stride(from: 0, to: sample.count, by: byteCount).map { $0..<min($0 + byteCount, sample.count) }
}

print(Comparison.heading)

let tableBytes = (0..<256).flatMap { value in
    var hash = SHA256()
    hash.update(data: [UInt8(value)])
    return Array(hash.finalize().prefix(8))
}
let table = GearTable(tableBytes.span)
var chunkCounts: (ours: UInt64, baseline: UInt64) = (0, 0)
let gear = measure {
    chunkCounts.ours = 0
    var position = 0
    while position < sample.count {
        position = cutPoint(in: sample.span, from: position, to: sample.count, table: table, parameters: .standard)
        chunkCounts.ours += 1
    }
    return chunkCounts.ours
}
let plainGear = measure {
    chunkCounts.baseline = unsafe baseline_gear(sample, sample.count, tableBytes, chunkByteCount)
    return chunkCounts.baseline
}
precondition(chunkCounts.ours == chunkCounts.baseline, "both cut alike")
print(Comparison(name: "gear cuts, 32 KiB", ours: gear, baselineName: "gear cuts, C", baseline: plainGear).line)

let copy = measure { unsafe baseline_copy(sample, sample.count, &room) }
print(Comparison(name: "", ours: nil, baselineName: "memcpy", baseline: copy).line)
let fingerprint = measure { unsafe baseline_xxh3(sample, sample.count, chunkByteCount) }
print(Comparison(name: "", ours: nil, baselineName: "XXH3-128, libxxhash", baseline: fingerprint).line)

let chunkRanges = pieces(of: chunkByteCount)
let authentication = measure {
    unsafe sample.withUnsafeBytes { bytes in
        chunkRanges.reduce(0) { sum, range in
            let code = unsafe HMAC<SHA256>.authenticationCode(for: UnsafeRawBufferPointer(rebasing: bytes[range]), using: key)
            return sum + UInt64(unsafe code.withUnsafeBytes { unsafe $0[0] })
        }
    }
}
let sodiumAuthentication = measure { unsafe baseline_hmac(sample, sample.count, chunkByteCount, keyBytes) }
print(
    Comparison(
        name: "HMAC-SHA-256, swift-crypto", ours: authentication, baselineName: "HMAC-SHA-256, libsodium",
        baseline: sodiumAuthentication
    ).line)

let segmentRanges = pieces(of: Segments.byteCount)
var segments = Segments(segmentRanges)
let compression = try measure { try segments.compress(sample) }
var frames = [UInt8](repeating: 0, count: sample.count)
var frameByteCounts = [Int](repeating: 0, count: segmentRanges.count)
let plainCompression = measure {
    unsafe baseline_compress(sample, sample.count, Segments.byteCount, Int32(Segments.level), &frames, &frameByteCounts)
}
print(Comparison(name: "zstd 3", ours: compression, baselineName: "zstd 3, C", baseline: plainCompression).line)

let decompression = try measure { try segments.decompress(into: &room) }
let plainDecompression = measure {
    unsafe baseline_decompress(frames, frameByteCounts, sample.count, Segments.byteCount, &room)
}
print(Comparison(name: "zstd decode", ours: decompression, baselineName: "zstd decode, C", baseline: plainDecompression).line)

let nonce = try AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 12))
let sealing = try measure {
    try unsafe sample.withUnsafeBytes { bytes in
        try segmentRanges.reduce(0) { sum, range in
            let box = try unsafe AES.GCM.seal(UnsafeRawBufferPointer(rebasing: bytes[range]), using: key, nonce: nonce)
            return sum + UInt64(box.tag.first ?? 0)
        }
    }
}
let sodiumSealing = measure { unsafe baseline_xchacha(sample, sample.count, Segments.byteCount, keyBytes, &room) }
print(
    Comparison(
        name: "AES-256-GCM, swift-crypto", ours: sealing, baselineName: "XChaCha20-Poly1305, libsodium",
        baseline: sodiumSealing
    ).line)
let ratio = Double(sample.count) / Double(frameByteCounts.reduce(0, +))
print("zstd 3 makes the sample \((ratio * 100).rounded() / 100) times smaller; \(chunkCounts.ours) chunks.")
