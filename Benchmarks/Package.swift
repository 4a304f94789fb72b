// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "holdfast", path: ".."),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    ],
    targets: [
        // The same work in plain C, or by calling the C libraries directly.
        .target(
            name: "Baselines",
            linkerSettings: [.linkedLibrary("sodium"), .linkedLibrary("zstd"), .linkedLibrary("xxhash")]),
        .executableTarget(
            name: "kernels",
            dependencies: [
                "Baselines",
                .product(name: "Kernels", package: "holdfast"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: [
                .strictMemorySafety(),
                .treatAllWarnings(as: .error),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]),
        // The library as a program other than the tool uses it: its public API alone.
        .executableTarget(
            name: "library", dependencies: [.product(name: "ImageRepository", package: "holdfast")],
            swiftSettings: [.strictMemorySafety(), .treatAllWarnings(as: .error), .enableUpcomingFeature("MemberImportVisibility")]),
    ],
    swiftLanguageModes: [.v6]
)
