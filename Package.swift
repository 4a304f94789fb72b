// swift-tools-version: 6.2
import PackageDescription

/// One set of rules for every Swift target: memory safety is checked, warnings are errors.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies + [.init(stringLiteral: name)], swiftSettings: settings)
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

// Intel's library is for its architecture alone; elsewhere swift-crypto does its work.
#if arch(x86_64)
let multiBuffer: (dependencies: [Target.Dependency], targets: [Target]) = (
    ["CIPSecMB"], [.target(name: "CIPSecMB", linkerSettings: [.linkedLibrary("IPSec_MB")])])
#else
let multiBuffer: (dependencies: [Target.Dependency], targets: [Target]) = ([], [])
#endif

let package = Package(
    name: "holdfast",
    products: [
        .library(name: "ImageRepository", targets: ["ImageRepository", "Storage", "LocalStorage", "DiskImages", "Sealing", "RepositoryFormat", "Bytes"]),
        .library(name: "Kernels", targets: ["Chunking", "Compression"]),
        .executable(name: "holdfast", targets: ["CommandLineTool"]),
        .executable(name: "holdfast-inspect", targets: ["DiskInspector"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    ],
    targets: multiBuffer.targets + [
        // C libraries and system calls, one thin module each.
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CBlkid", pkgConfig: "blkid", providers: [.apt(["libblkid-dev"])]),
        .target(name: "CXXHash", linkerSettings: [.linkedLibrary("xxhash")]),
        .target(name: "CLinux"),
        .target(name: "CInspectorSandbox"),
        .target(name: "CProgramStart"),
        // Loads libnbd when it is needed.
        .target(name: "CNBD"),

        // The layers, each ignorant of those below it in this list.
        module("Bytes", ["CLinux"]),
        module("Threading", ["CLinux"]),
        module("Chunking", ["Bytes"]),
        module("Compression", ["Bytes", "CZstd"]),
        module("RepositoryFormat", ["Bytes"]),
        module("Sealing", ["Bytes", "RepositoryFormat", "CSodium", "CXXHash", "CLinux", crypto] + multiBuffer.dependencies),
        module("Storage", ["Bytes"]),
        module("LocalStorage", ["Bytes", "Storage", "CLinux"]),
        module("DiskImages", ["Bytes", "Threading", "CLinux", "CNBD", "DiskLayout"]),
        module("DiskLayout", ["Bytes", "RepositoryFormat"]),
        module("Packing", ["Bytes", "CLinux", "Threading", "Storage", "Sealing", "Compression", "RepositoryFormat"]),
        module("ImageRepository", ["Bytes", "Threading", "Storage", "Sealing", "Chunking", "RepositoryFormat", "Packing", "DiskImages", "DiskLayout", "CLinux"]),
        .executableTarget(
            name: "CommandLineTool",
            dependencies: [
                "Bytes", "Storage", "LocalStorage", "DiskLayout", "DiskImages", "ImageRepository", "RepositoryFormat", "Sealing", "CLinux", "CProgramStart",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        // Parses what lies on disks, in a process without rights.
        .executableTarget(name: "DiskInspector", dependencies: ["Bytes", "DiskLayout", "CBlkid", "CInspectorSandbox"], swiftSettings: settings),

        // Benchmarks that need what is inside the package.
        .executableTarget(
            name: "IndexScale", dependencies: ["Bytes", "Packing", "RepositoryFormat"], path: "Benchmarks/IndexScale", swiftSettings: settings),
        .executableTarget(
            name: "SnapshotScale", dependencies: ["Bytes", "DiskImages", "ImageRepository", "LocalStorage", "RepositoryFormat", "Sealing", "Storage"],
            path: "Benchmarks/SnapshotScale", swiftSettings: settings),

        tests("Chunking", ["CSodium", "TestSupport"]),
        tests("CommandLineTool", [
            "Bytes", "DiskImages", "ImageRepository", "RepositoryFormat", "Sealing", "Storage", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
        tests("Compression", ["CZstd", "TestSupport"]),
        // Support shared by test targets; part of no product.
        .target(name: "TestSupport", dependencies: ["Bytes", "Storage"], path: "Tests/TestSupport", swiftSettings: settings),
        tests("Bytes", ["TestSupport"]),
        tests("Threading", []),
        tests("RepositoryFormat", ["Bytes", "Storage", "TestSupport"]),
        tests("Sealing", ["Bytes", "RepositoryFormat", "TestSupport"]),
        tests("Packing", ["Bytes", "Compression", "RepositoryFormat", "Sealing", "Storage", "TestSupport", "Threading"]),
        tests("Storage", ["Bytes", "TestSupport"]),
        tests("LocalStorage", ["Bytes", "Storage", "CLinux", "TestSupport"]),
        .executableTarget(
            name: "Simulation",
            dependencies: [
                "Bytes", "CCampaignSodium", "CSodium", "DiskImages", "ImageRepository", "Packing", "RepositoryFormat", "Sealing", "Storage", "TestSupport", "Threading",
            ],
            path: "Tests/Simulation", exclude: ["README.md"], swiftSettings: settings),
        .target(name: "ImageFixtures", dependencies: ["DiskImages"], path: "Tests/ImageFixtures", swiftSettings: settings),
        tests("DiskImages", ["Bytes", "ImageFixtures", "CLinux"]),
        tests("DiskLayout", ["Bytes", "RepositoryFormat", "TestSupport"]),
        .target(
            name: "RepositoryFixtures", dependencies: ["Bytes", "DiskImages", "ImageFixtures", "ImageRepository", "Packing", "Sealing", "Storage", "TestSupport"],
            path: "Tests/RepositoryFixtures", swiftSettings: settings),
        .target(
            name: "CrashTrials", dependencies: ["Bytes", "DiskImages", "ImageFixtures", "ImageRepository", "RepositoryFixtures", "RepositoryFormat", "Sealing", "Storage", "TestSupport"],
            path: "Tests/CrashTrials", swiftSettings: settings),
        .target(name: "CCampaignSodium", path: "Tests/CCampaignSodium"),
        .executableTarget(name: "CrashPoints", dependencies: ["CLinux", "CCampaignSodium", "CrashTrials", "TestSupport", "Threading"], path: "Tests/CrashPoints", swiftSettings: settings),
        tests("ImageRepository", [
            "Bytes", "CrashTrials", "DiskImages", "ImageFixtures", "LocalStorage", "Packing", "RepositoryFixtures", "RepositoryFormat", "Sealing", "Storage", "TestSupport",
            "Threading",
        ]),
    ],
    swiftLanguageModes: [.v6]
)
