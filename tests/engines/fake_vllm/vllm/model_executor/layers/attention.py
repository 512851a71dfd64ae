import torch


class Attention:
    """Every query sees every key."""

    def __init__(self, num_heads, head_size, scale):
        self.num_heads, self.head_size, self.scale = num_heads, head_size, scale

    def forward(self, query, key, value):
        assert query.shape[-1] == self.num_heads * self.head_size
        q, k, v = (x.view(len(x), -1, self.head_size).transpose(0, 1) for x in (query, key, value))
        out = torch.softmax(self.scale * q @ k.mT, dim=-1) @ v
        return out.transpose(0, 1).flatten(1)
