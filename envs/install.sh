# Installs nessflow and its locked environment into an image of Debian with Python, as root.
set -eu
cd "$(dirname "$0")/.."

# Results say of which commit of a project they are, whoever owns its files.
apt-get update
apt-get install --yes --no-install-recommends git
rm -rf /var/lib/apt/lists/*
git config --system --add safe.directory '*'

pip="python -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore"
$pip --require-hashes -r envs/requirements.lock
$pip --no-deps --no-build-isolation .
rm -rf build src/*.egg-info

# Kernels are compiled for the processor that builds; another one adds its own, whoever runs it.
python envs/compile_kernels.py
chmod -R a+rwX "$(python -c 'import os, nessflow; print(os.path.dirname(nessflow.__file__))')"
