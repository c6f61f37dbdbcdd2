"""Package of `bm`: ranges here, tested versions in constraints.txt."""

from pathlib import Path

from setuptools import Extension, find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "bm/__init__.py").read_text().splitlines()
    if line.startswith("__version__")
)

REQUIRED = [
    "torch>=2.6",
    "dora-search>=0.1.13,<0.2",
    "hydra-core>=1.3,<1.4",
    "omegaconf>=2.3,<2.4",
    "submitit>=1.5,<2",
    "hiplot>=0.1.33",
    "treetable>=0.2.5",
    "diffusers>=0.34",
    "transformers>=4.50",
    "mne>=1.8",
    "h5py>=3.10",
    "wandb>=0.19",
    "safetensors>=0.5",
    "huggingface_hub>=0.30",
    "filelock>=3.13",
    "numpy>=1.26",
    "pandas>=2.2",
    "pyarrow>=16",
    "scipy>=1.12",
    "scikit-learn>=1.4",
    "torchmetrics>=1.4",
    "matplotlib>=3.8",
    "tensorboard>=2.16",
    "soundfile>=0.12",
    "rich>=13",
]
DOCS = ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"]
EXTRAS = {
    "moabb": ["moabb>=1.2"],
    "bids": ["mne-bids>=0.16"],
    "arrow": ["datasets>=3"],
    # autoreject 0.5 needs Python 3.11; 0.4 does not know the tested MNE.
    "autoreject": ["autoreject>=0.5; python_version >= '3.11'"],
    "transfer": ["peft>=0.15"],  # LoRA and IA3
    "words": ["spacy>=3.7", "wordfreq>=3.1"],
    "docs": DOCS,
    "dev": [
        "peft>=0.15",
        *DOCS,
        "autoreject>=0.5; python_version >= '3.11'",
        "ruff",
        "mypy",
        "codespell",
        "pytest>=8,<9.2",  # see constraints.txt
        "pytest-timeout",
        "pytest-xdist",
        "nbformat",
        "nbclient",
        "ipykernel",
        "types-PyYAML",
    ],
}

# Without a compiler windows are scaled by PyTorch: the same numbers in three times the time.
WINDOWS = Extension(
    "bm.data._windows", ["bm/data/_windows.c"], extra_compile_args=["-O3"], optional=True
)

setup(
    name="bm",
    version=VERSION,
    description="Five published brain-signal systems, trained, swept and compared from one place",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10,<3.13",
    # `conf` holds no code, but `../conf` must stand beside the installed package.
    packages=[*find_packages(include=["bm*", "grids*", "scripts*"]), "conf"],
    package_data={"bm": ["py.typed", "**/*.json", "**/*.csv"], "conf": ["**/*.yaml", "*.yaml"]},
    include_package_data=False,
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    ext_modules=[WINDOWS],
)
