@testable import DiskImages
import Testing

struct BlockDeviceTests {
    @Test func `a SCSI serial number is taken from its page and trimmed`() {
        #expect(BlockDevice.unitSerialNumber(page: [0, 0x80, 0, 6] + Array("  AB12junk".utf8)) == "AB12")
        #expect(BlockDevice.unitSerialNumber(page: [0, 0x80, 1, 0] + Array("S1".utf8)) == "S1")
        #expect(BlockDevice.unitSerialNumber(page: [0, 0x80, 0, 4] + Array("    ".utf8)) == nil)
        #expect(BlockDevice.unitSerialNumber(page: [0, 0x83, 0, 2] + Array("AB".utf8)) == nil)
        #expect(BlockDevice.unitSerialNumber(page: [0, 0x80]) == nil)
    }

    @Test func `device numbers are parsed strictly`() {
        #expect(DeviceNumber("8:17") == DeviceNumber(major: 8, minor: 17))
        #expect(DeviceNumber("8") == nil)
        #expect(DeviceNumber("8:") == nil)
        #expect(DeviceNumber("8:-1") == nil)
        #expect(DeviceNumber("8:1:2") == nil)
    }

    @Test func `a device that is not there has no properties`() throws {
        let device = BlockDevice(number: DeviceNumber(major: 4095, minor: 9))
        #expect(try device.name() == "4095:9")
        #expect(try device.partitions() == [])
        #expect(try device.holders() == [])
        #expect(try device.wholeDisk() == nil)
        #expect(try device.backingFile() == nil)
    }
}
