import Bytes
import Testing

struct AlignedBufferTests {
    @Test(arguments: [1, 4095, 4096, 4097, 1 << 20]) func `a buffer starts at a page and has whole pages`(byteCount: Int) {
        let buffer = AlignedBuffer(byteCapacity: byteCount)
        #expect(unsafe Int(bitPattern: buffer.base) % AlignedBuffer.alignment == 0)
        #expect(buffer.byteCapacity >= byteCount && buffer.byteCapacity < byteCount + AlignedBuffer.alignment)
        #expect(buffer.byteCapacity % AlignedBuffer.alignment == 0)
    }

    @Test func `bytes are where they were put`() {
        let buffer = AlignedBuffer(byteCapacity: 4096)
        buffer.zero(0..<4096)
        let bytes: [UInt8] = [1, 2, 3]
        unsafe bytes.withUnsafeBytes { unsafe buffer.copy($0, at: 4093) }
        buffer.withMutableBytes(in: 10..<12) { $0[1] = 7 }
        buffer.withBytes(byteCount: 4096) { span in
            #expect(span[11] == 7)
            #expect([span[4092], span[4093], span[4094], span[4095]] == [0, 1, 2, 3])
        }
        buffer.zero(4093..<4096)
        #expect(buffer.withBytes(byteCount: 4096) { $0[4095] } == 0)
    }
}
