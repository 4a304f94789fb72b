import Testing

@testable import DiskImages

@Suite
struct InspectorOutputTests {
    private func request(_ offset: UInt64, _ byteCount: UInt64) -> [UInt8] {
        Array("HFINREAD".utf8) + [offset, byteCount].flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    }

    @Test func `requests come out one by one, however they are cut, and the answer remains`() {
        let answer = Array("HFINSPC1 and what HFINREAD follows".utf8)
        let bytes = request(0, 512) + request(1 << 40, 65536) + answer
        for pieceByteCount in [1, 3, 8, 24, 25, bytes.count] {
            var output = InspectorOutput(isServed: true)
            var requests: [InspectorOutput.Part] = []
            var position = 0
            while position < bytes.count {
                output.append(bytes[position..<min(position + pieceByteCount, bytes.count)])
                position += pieceByteCount
                while case .request(let offset, let byteCount) = output.next() { requests.append(.request(offset: offset, byteCount: byteCount)) }
            }
            #expect(requests == [.request(offset: 0, byteCount: 512), .request(offset: 1 << 40, byteCount: 65536)])
            #expect(output.bytes == answer)
        }
    }

    @Test func `nothing is asked for behind the answer's beginning, nor by one that reads itself`() {
        var served = InspectorOutput(isServed: true)
        served.append(Array("HFINSPC1".utf8))
        #expect(served.next() == .nothing)
        served.append(request(0, 512))
        #expect(served.next() == .nothing)
        #expect(served.bytes.count == 32)
        var alone = InspectorOutput(isServed: false)
        alone.append(request(0, 512))
        #expect(alone.next() == .nothing)
        #expect(alone.bytes.count == 24)
    }
}
