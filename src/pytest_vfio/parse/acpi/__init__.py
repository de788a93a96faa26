"""The firmware's tables that describe the IOMMU."""
