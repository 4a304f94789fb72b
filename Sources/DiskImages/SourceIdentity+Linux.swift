extension SourceIdentity {
    /// A file is known by its absolute path.
    init(file path: String) {
        self.init(kind: .file, imageName: path, path: path)
    }

    /// A device is known by its serial number, else its world wide name, wherever it is plugged in; without either, by its path.
    /// A partition adds its number, so that it is not taken for its disk.
    init(device: BlockDevice, _ file: borrowing FileDescriptor, path: String) throws(ImageError) {
        let (serialNumber, worldWideName, model) = try device.hardware()
        let sectors = file.deviceSectors()
        let hardwareName = serialNumber ?? worldWideName
        let suffix = try device.partitionNumber().map { number in "-part\(number)" } ?? ""
        self.init(
            kind: .device, imageName: hardwareName.map { $0 + suffix } ?? path, path: path, serialNumber: serialNumber,
            worldWideName: worldWideName, model: model, logicalSectorByteCount: sectors.logicalByteCount,
            physicalSectorByteCount: sectors.physicalByteCount)
    }
}
