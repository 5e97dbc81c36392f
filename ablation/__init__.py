"""Experience-replay ablations: seeds as lanes, designs as data, runs addressed by their content."""

import os

# Intel's matrix library picks its kernels by the memory alignment of each matrix, so a lane's last
# bits would depend on its place in the batch. This setting (read at the library's first call, no
# measurable cost) makes a product depend on nothing but its operands.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# A lane's products are small: threads inside one cost more than they give, and jobs run side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Replay is read at random places: large pages find them quicker (PyTorch asks for them only if told).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
