class CPUAttentionBackend:
    @classmethod
    def get_supported_head_sizes(cls):
        return [32, 64]
